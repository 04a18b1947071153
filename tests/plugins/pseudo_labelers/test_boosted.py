import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import BoostedLabeler, SelfTrainingLabeler


def two_classes(foreground):
    foreground = np.asarray(foreground)[:, None]
    return np.stack([1 - foreground, foreground], axis=1)


def test_boosting_empties_negatives_and_drops_positives_without_a_region(predicted):
    maps = two_classes([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.1, 0.1, 0.4], [0.1, 0.1, 0.1]])
    expected = [[[0, 0, 0]], [[1, 0, 0]], [[-1, -1, -1]], [[0, 0, 0]]]
    assert predicted(BoostedLabeler, maps, [0, 1, 1, -1]) == expected
    assert predicted(BoostedLabeler, maps) == predicted(SelfTrainingLabeler, maps)


@pytest.mark.parametrize("kind", [BoostedLabeler, SelfTrainingLabeler])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_a_positive_keeps_a_pixel_after_the_margin_or_is_left_open(predicted, kind, threshold):
    """A teacher at .6 of 9 of 64 pixels: with the margin these 9 are -1, the others background."""
    foreground = np.full((2, 8, 8), 0.1)
    foreground[:, 2:5, 2:5] = 0.6
    foreground[1, 3, 3] = 0.7
    settings = {"threshold": threshold, "margin": 0.15}
    maps = np.stack([1 - foreground, foreground], axis=1)
    masks = np.array(predicted(kind, maps, [1, 1], **settings))
    assert (masks[0] == -1).all()
    assert np.unique(masks[1], return_counts=True)[1].tolist() == [8, 55, 1]
    unlabeled = predicted(kind, maps, **settings)
    assert np.unique(unlabeled[0], return_counts=True)[1].tolist() == [9, 55]


def test_of_several_labels_each_keeps_a_pixel_after_the_margin(predicted):
    maps = np.array([[[[0.6, 0.1]], [[0.7, 0.6]], [[0.6, 0.1]]]])
    settings = {"multilabel": True, "margin": 0.15}
    masks = predicted(BoostedLabeler, maps, [[1, 1, -1]], threshold=0.5, **settings)
    assert masks == [[[[-1, -1]], [[1, -1]], [[-1, 0]]]]


def test_a_region_is_what_is_left_after_the_threshold(predicted):
    maps = two_classes([[0.1, 0.4, 0.4, 0.2]])
    assert predicted(BoostedLabeler, maps, [1], min_area=2, threshold=0.3) == [[[0, 1, 1, 0]]]
    assert predicted(BoostedLabeler, maps, [1], min_area=3, threshold=0.3) == [[[-1] * 4]]


@pytest.mark.parametrize(
    ("min_area", "kept"), [(1, True), (2, True), (3, False), (0.5, True), (0.51, False)]
)
def test_what_counts_as_a_region(predicted, min_area, kept):
    mask = predicted(BoostedLabeler, two_classes([[0.9, 0.9, 0.1, 0.1]]), [1], min_area=min_area)
    assert mask == [[[1, 1, 0, 0] if kept else [-1] * 4]]


def test_a_region_of_another_class_does_not_count(predicted):
    maps = np.array([[[[0.1, 0.9]], [[0.9, 0.1]], [[0.0, 0.0]]]] * 2)
    assert predicted(BoostedLabeler, maps, [1, 2]) == [[[1, 0]], [[-1, -1]]]


def test_of_several_labels_each_is_corrected_by_itself(predicted):
    maps = np.array([[[[0.9, 0.1]], [[0.9, 0.1]], [[0.1, 0.1]], [[0.1, 0.1]]]])
    masks = predicted(BoostedLabeler, maps, [[1, 0, 1, -1]], multilabel=True)
    assert masks == [[[[1, 0]], [[0, 0]], [[-1, -1]], [[0, 0]]]]
