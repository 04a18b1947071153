from types import SimpleNamespace

import numpy as np
from matplotlib import pyplot

from segclf.displays import ErrorMapDisplay

TRUE = np.zeros((4, 64, 32), dtype=int)
TRUE[:2, :32, :16] = 1
SAID = np.zeros_like(TRUE)
SAID[0, 32:, 16:] = 1


def test_maps_have_the_place_in_the_image_whatever_its_size():
    display = ErrorMapDisplay.from_predictions([1, 1, 0, 0], [1, 0, 0, 0], TRUE, SAID)
    expected = np.zeros((32, 32))
    expected[16:, 16:] = 0.25
    np.testing.assert_allclose(display.false_positives, expected)
    np.testing.assert_allclose(display.false_negatives, 2 * expected[::-1, ::-1])
    display.figure_.canvas.draw()


def test_another_class_is_missed_and_marked_wrongly():
    display = ErrorMapDisplay.from_predictions([1, 1], [1, 1], TRUE[:2], 2 * TRUE[:2])
    assert display.false_positives[0, 0] == display.false_negatives[0, 0] == 1


def test_what_nobody_annotated_is_no_error():
    masks = [None, np.where(TRUE[1] == 1, -1, 0)]
    display = ErrorMapDisplay.from_predictions([1, 1], [1, 1], masks, TRUE[:2])
    assert not display.false_positives.any()
    assert not display.false_negatives.any()


def test_recall_by_size_of_the_target():
    masks = np.zeros((6, 10, 10), dtype=int)
    for number, side in enumerate((1, 1, 1, 5, 5)):
        masks[number, :side, :side] = 1
    display = ErrorMapDisplay.from_predictions(
        [1, 1, 1, 1, 1, 0], [1, 0, 0, 1, 1, 1], masks, masks, bins=[0.1]
    )
    small, large = display.recall
    assert (small.n, round(small.estimate, 6)) == (3, 0.333333)
    assert (large.n, large.estimate) == (2, 1)
    labels = [label.get_text() for label in display.axes_[2].get_yticklabels()]
    assert labels == ["below 10% (3)", "from 10% (2)"]


def test_asks_an_estimator_and_draws_into_given_axes():
    channels = TRUE[:, None]
    estimator = SimpleNamespace(
        predict=lambda X: np.array([[1], [1], [0], [0]]), predict_masks=lambda X: channels
    )
    figure, axes = pyplot.subplots(1, 3)
    display = ErrorMapDisplay.from_estimator(
        estimator, TRUE, [[1], [1], [0], [0]], channels, ax=axes
    )
    assert display.figure_ is figure
    assert not display.false_negatives.any()
    assert all(row.estimate == 1 for row in display.recall if row.n)


def test_a_thin_error_counts_in_images_wide_and_low():
    """Their maps shrink along one side and grow along the other."""
    true = np.zeros((1, 16, 320), dtype=int)
    true[0, :, 4] = 1
    display = ErrorMapDisplay.from_predictions([1], [0], true, 0 * true)
    np.testing.assert_allclose(display.false_negatives.mean(), 1 / 320, rtol=1e-6)


def test_of_volumes_it_is_the_place_in_the_slice():
    true, said = np.zeros((2, 2, 5, 64, 32), dtype=int)
    true[0, 1, :32, :16] = said[0, 3, 32:, 16:] = 1
    display = ErrorMapDisplay.from_predictions([1, 0], [1, 0], true, said, volumes=True)
    assert display.false_negatives[0, 0] == display.false_positives[-1, -1] == 0.5
    assert display.false_negatives.sum() == display.false_positives.sum() == 0.5 * 16 * 16
    assert [row.n for row in display.recall if row.n] == [1]

    estimator = SimpleNamespace(
        _n_spatial=3, classes_=[0, 1], predict=lambda X: [1, 0], predict_masks=lambda X: said
    )
    given = ErrorMapDisplay.from_estimator(estimator, np.zeros((2, 5, 64, 32)), [1, 0], true)
    np.testing.assert_array_equal(given.false_negatives, display.false_negatives)
