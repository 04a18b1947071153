from types import SimpleNamespace

import pytest
from matplotlib import pyplot

from segclf.displays import HistoryDisplay

HISTORY = {"epoch": [0, 1], "learning_rate": [1, 1], "dice": [2.0, 1.0], "loss": [2.0, 1.0]}


def labels(display):
    return [line.get_label() for line in display.ax_.lines]


def test_the_total_of_one_term_is_not_drawn_twice():
    assert labels(HistoryDisplay.from_estimator(SimpleNamespace(history_=HISTORY))) == ["dice"]


def test_terms_total_and_validation():
    history = HISTORY | {"label": [1.0, 0.5], "validation_dice": [3.0, 2.0], "seconds": [9, 9]}
    display = HistoryDisplay(history).plot()
    assert labels(display) == ["dice", "validation dice", "loss", "label"]
    solid, dashed = display.ax_.lines[:2]
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert solid.get_color() == dashed.get_color()
    assert dashed.get_xdata().tolist() == [1, 2]
    assert dashed.get_ydata().tolist() == [3, 2]


def test_finds_the_history_of_a_segmenter_inside():
    inner = SimpleNamespace(history_=HISTORY)
    ax = pyplot.figure().add_subplot()
    display = HistoryDisplay.from_estimator(SimpleNamespace(segmenter_=inner), ax=ax)
    assert labels(display) == ["dice"]
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_says_what_has_no_history():
    with pytest.raises(ValueError, match="has no history_; expected a fitted segclf"):
        HistoryDisplay.from_estimator(SimpleNamespace(a=1))
