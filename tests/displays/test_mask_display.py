import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from sklearn.base import BaseEstimator

from segclf import SliceWise, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.displays import MaskDisplay
from segclf.displays.tiles import REGION_COLORS, RIGHT_COLOR, UNKNOWN_COLOR, WRONG_COLOR

X = np.zeros((3, 8, 10, 3), dtype=np.uint8)
MASKS = np.zeros((3, 8, 10), dtype=np.uint8)
MASKS[0, 2:5, 3:7] = 1


class Classifier(BaseEstimator):
    classes_ = np.array(["healthy", "nodule"])
    seen = 0

    def predict_proba(self, X):
        self.seen = max(self.seen, len(X))
        return np.array([[0.25, 0.75], [0.875, 0.125], [0.5, 0.5]])[: len(X)]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Segmenting(Classifier):
    def predict_masks(self, X):
        return MASKS[: len(X)]


class Segmenter(BaseEstimator):
    def predict(self, X):
        return list(MASKS[: len(X)])


def titles(display):
    return [ax.get_title() for ax in display.axes_]


def frames(display):
    return [to_hex(ax.spines["left"].get_edgecolor()).upper() for ax in display.axes_]


def outlines(ax):
    return [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]


def filled(ax):
    """The predicted region's color, and where it is drawn."""
    rgba = np.asarray(ax.images[-1].get_array())
    region = rgba[..., 3] > 0
    return to_hex(rgba[region][0, :3]).upper(), region


def test_right_and_wrong_are_marked_by_color_and_by_mark():
    display = MaskDisplay.from_predictions(X, [1, 1, 0], y_true=[1, 0, -1])
    assert titles(display) == ["✓ 1", "✗ 1\ntruth: 0", "0"]
    assert frames(display) == [RIGHT_COLOR, WRONG_COLOR, UNKNOWN_COLOR]


def test_a_predicted_mask_is_filled_where_it_is_and_a_true_one_outlined():
    display = MaskDisplay.from_predictions(X, masks=MASKS, true_masks=[None, MASKS[0], None])
    color, region = filled(display.axes_[0])
    assert color == REGION_COLORS[0]
    np.testing.assert_array_equal(region, MASKS[0] == 1)
    assert [len(outlines(ax)) for ax in display.axes_] == [0, 2, 0]
    assert [len(ax.images) for ax in display.axes_] == [2, 1, 1]
    low, high = (
        f(outlines(display.axes_[1])[0].get_paths()[0].vertices, 0) for f in (np.min, np.max)
    )
    np.testing.assert_allclose([low, high], [[2.5, 1.5], [6.5, 4.5]])


def test_the_outline_of_a_whole_image_is_closed_at_its_edge():
    display = MaskDisplay.from_predictions(X[:1], true_masks=np.ones_like(MASKS[:1]))
    points = outlines(display.axes_[0])[0].get_paths()[0].vertices
    np.testing.assert_allclose(points.min(0), -0.5)
    np.testing.assert_allclose(points.max(0), [9.5, 7.5])
    assert display.axes_[0].get_xlim() == (-0.5, 9.5)
    assert display.axes_[0].get_ylim() == (7.5, -0.5)


def test_from_estimator_shows_labels_probabilities_and_masks():
    y = np.array(["nodule", "nodule", "healthy"])
    display = MaskDisplay.from_estimator(Segmenting(), X, y, masks=MASKS)
    assert titles(display) == [
        "✓ nodule (75 %)",
        "✗ healthy (88 %)\ntruth: nodule",
        "✓ healthy (50 %)",
    ]
    assert len(display.axes_[0].images) == 2
    assert len(outlines(display.axes_[0])) == 2


def test_a_classifier_without_masks_shows_none_not_even_the_true_ones():
    display = MaskDisplay.from_estimator(Classifier(), X, masks=MASKS)
    assert [len(ax.images) + len(outlines(ax)) for ax in display.axes_] == [1, 1, 1]


def test_a_segmenter_shows_masks_without_labels():
    display = MaskDisplay.from_estimator(Segmenter(), list(X))
    assert titles(display) == ["", "", ""]
    assert [len(ax.images) for ax in display.axes_] == [2, 1, 1]


def test_only_what_is_shown_is_predicted():
    estimator = Classifier()
    assert len(MaskDisplay.from_estimator(estimator, X, n_images=2).axes_) == 2
    assert estimator.seen == 2


@pytest.mark.parametrize("names", [["no", "yes"], {"healthy": "no", "nodule": "yes"}])
def test_classes_may_have_names(names):
    display = MaskDisplay.from_estimator(Classifier(), X, class_names=names)
    assert [title.split()[0] for title in titles(display)] == ["yes", "no", "no"]


def test_images_may_differ_in_size_and_depth():
    images = [
        np.zeros((8, 9)),
        np.full((20, 5, 1), 4000, dtype=np.uint16),
        np.zeros((7, 7), dtype=np.uint8),
    ]
    masks = [np.eye(8, 9, dtype=int), None, np.zeros((7, 7), dtype=int)]
    display = MaskDisplay.from_predictions(images, masks=masks)
    assert [ax.images[0].get_array().shape for ax in display.axes_] == [(8, 9), (20, 5), (7, 7)]
    display.figure_.canvas.draw()


def test_multilabel_masks_and_labels():
    masks = np.stack([MASKS, MASKS[:, ::-1]], axis=1)
    display = MaskDisplay.from_predictions(
        X, [[1, 1], [0, 0], [0, 1]], y_true=[[1, 1], [0, 1], [-1, 1]], masks=masks
    )
    assert titles(display) == ["✓ 0, 1", "✗ none\ntruth: 1", "✓ 1"]
    assert len(display.axes_[0].images) == 3
    assert filled(display.axes_[0])[0] == REGION_COLORS[1]


def test_rows_and_columns():
    display = MaskDisplay.from_predictions(X, n_columns=2)
    cells = [ax.get_subplotspec() for ax in display.axes_]
    assert [(cell.rowspan.start, cell.colspan.start) for cell in cells] == [(0, 0), (0, 1), (1, 0)]


def test_draws_into_an_axes_a_figure_or_given_axes():
    figure, (left, right) = pyplot.subplots(1, 2)
    display = MaskDisplay.from_predictions(X, ax=left)
    assert display.figure_ is figure
    assert not left.axison
    assert not set(display.axes_) & {left, right}
    other = pyplot.figure()
    assert display.plot(ax=other).figure_ is other
    axes = pyplot.subplots(2, 2)[1]
    assert display.plot(ax=axes).axes_.tolist() == axes.ravel()[:3].tolist()
    with pytest.raises(ValueError, match="1 axes; expected one for each of 3 images"):
        display.plot(ax=[right])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="y_pred has 2 entries for 3 images"):
        MaskDisplay.from_predictions(X, [1, 0])


def test_says_how_to_get_matplotlib(monkeypatch):
    display = MaskDisplay.from_predictions(X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'segclf\[plot\]'"):
        display.plot()


def test_of_volumes_the_slice_with_the_largest_finding_is_shown():
    volumes = np.arange(3 * 4 * 8 * 8, dtype=np.uint8).reshape(3, 4, 8, 8)
    masks, true = np.zeros((2, 3, 4, 8, 8), dtype=np.uint8)
    masks[0, 2, 1:4] = masks[0, 1, 1] = 1  # most in slice 2
    true[1, 3, 2:4] = 1  # nothing was predicted
    display = MaskDisplay.from_predictions(
        volumes, [1, 0, 0], masks=masks, true_masks=true, volumes=True
    )
    assert [tile.caption.splitlines()[-1] for tile in display.tiles] == [
        "slice 2",
        "slice 3",
        "slice 2",
    ]
    for tile, row, number in zip(display.tiles, range(3), (2, 3, 2), strict=True):
        np.testing.assert_array_equal(tile.image[..., 0], volumes[row, number])
        np.testing.assert_array_equal(tile.mask, masks[row, number])
        np.testing.assert_array_equal(tile.true_mask, true[row, number])


def test_of_volumes_several_slices_are_shown_side_by_side():
    volumes = np.arange(10 * 8 * 6, dtype=np.uint16).reshape(1, 10, 8, 6)
    masks, true = np.zeros((2, 1, 10, 8, 6), dtype=np.uint8)
    masks[0, 4, 1:4], true[0, 6, 2] = 1, 2
    display = MaskDisplay.from_predictions(
        volumes, masks=masks, true_masks=true, volumes=True, n_slices=4
    )
    [tile] = display.tiles
    assert tile.caption == "slices 0, 4, 5, 9"
    for place, number in enumerate((0, 4, 5, 9)):
        rows, columns = (slice(8 * (place // 3), None), slice(6 * (place % 3), None))
        part = np.s_[rows, columns][0:2]
        np.testing.assert_array_equal(tile.image[part][:8, :6, 0], volumes[0, number])
        np.testing.assert_array_equal(tile.mask[part][:8, :6], masks[0, number])
        np.testing.assert_array_equal(tile.true_mask[part][:8, :6], true[0, number])
    display.figure_.canvas.draw()


def test_channels_of_volumes_are_where_the_estimator_says():
    shapes = make_shapes(4, image_size=16, depth=3, n_objects=2, target_radius=3, random_state=8)
    X = np.repeat(shapes.images[:, None], 3, axis=1)
    inner = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    segmenter = SliceWise(inner, channels="first", random_state=0).fit(X, shapes.masks)
    display = MaskDisplay.from_estimator(segmenter, X, n_images=1, n_slices=3)
    assert display.tiles[0].image.shape == (32, 32, 3)


def test_an_estimator_of_volumes_is_shown_by_slices():
    shapes = make_shapes(4, image_size=16, depth=3, n_objects=2, target_radius=3, random_state=8)
    inner = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    segmenter = SliceWise(inner, random_state=0).fit(shapes.images, shapes.masks)
    display = MaskDisplay.from_estimator(segmenter, shapes.images, masks=shapes.masks, n_images=2)
    assert len(display.tiles) == 2
    assert all(tile.caption.startswith("slice ") for tile in display.tiles)
