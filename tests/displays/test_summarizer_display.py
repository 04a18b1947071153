from types import SimpleNamespace

import numpy as np
from matplotlib.colors import to_hex

from segclf.displays import SummarizerDisplay
from segclf.displays.tiles import RIGHT_COLOR, WRONG_COLOR


def test_points_are_areas_and_scores_and_errors_have_a_color():
    display = SummarizerDisplay.from_predictions([0, 0.1, 0.5], [0.2, 0.4, 0.9], [0, 1, 1])
    positive, negative, *_, wrong = display.ax_.collections
    np.testing.assert_allclose(positive.get_offsets(), [[10, 0.4], [50, 0.9]])
    np.testing.assert_allclose(negative.get_offsets(), [[0, 0.2]])
    assert [to_hex(c).upper() for c in positive.get_facecolors()] == [WRONG_COLOR, RIGHT_COLOR]
    assert len(negative.get_facecolors()) == 0
    assert wrong.get_label() == "called wrongly"
    display.figure_.canvas.draw()


def test_the_legend_is_not_colored_by_an_error():
    display = SummarizerDisplay.from_predictions([0.1, 0.1], [0.2, 0.9], [1, 0])
    legend = display.ax_.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["finding", "no finding", "called wrongly"]
    edges = [to_hex(h.get_edgecolor()[0]).upper() for h in legend.legend_handles]
    assert edges == [RIGHT_COLOR, RIGHT_COLOR, WRONG_COLOR]
    display.figure_.canvas.draw()


def test_areas_are_of_predicted_masks_and_unlabeled_images_are_left_out():
    masks = np.zeros((3, 4, 5), dtype=int)
    masks[0, 0, :2], masks[1] = 2, 1
    estimator = SimpleNamespace(
        classes_=np.array([0, 1, 2]),
        predict_masks=lambda X: list(masks),
        predict_proba=lambda X: np.array([[0.25, 0.25, 0.5], [0.5, 0.5, 0], [1, 0, 0]]),
    )
    display = SummarizerDisplay.from_estimator(estimator, np.zeros((3, 4, 5)), [2, -1, 0])
    np.testing.assert_allclose(display.areas, [0.1, 0])
    np.testing.assert_allclose(display.scores, [0.75, 0])
    assert display.y_true.tolist() == [True, False]


def test_any_channel_of_multilabel_masks_counts():
    masks = np.zeros((1, 2, 2, 2), dtype=int)
    masks[0, 0, 0, 0] = masks[0, 1, 0] = 1
    estimator = SimpleNamespace(
        classes_=np.array([0, 1]),
        predict_masks=lambda X: masks,
        predict_proba=lambda X: np.array([[0.5, 0.5]]),
    )
    assert SummarizerDisplay.from_estimator(estimator, [0], [1]).areas.tolist() == [0.5]
