import numpy as np
import pytest
import torch

from segclf import axes

QUESTIONS = {
    "is_mask": ([(8, 9), (2, 8, 9)], [(3, 2, 8, 9)]),
    "is_multilabel": ([(2, 8, 9)], [(8, 9)]),
    "are_multilabel": ([(3, 2, 8, 9)], [(3, 8, 9)]),
    "is_map": ([(2, 8, 9)], [(5,)]),
    "are_maps": ([(3, 2, 8, 9)], [(3, 2), (3, 49, 64)]),
    "are_tokens": ([(3, 49, 64)], [(3, 2, 8, 9)]),
    "is_gray": ([(8, 9)], [(8, 9, 3)]),
    "is_indicator": ([(3, 2)], [(3,)]),
    "are_labels": ([(3,)], [(3, 2), (3, 8, 9)]),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("make", [np.zeros, torch.zeros])
def test_what_has_which_axes(make, question):
    ask, (yes, no) = getattr(axes, question), QUESTIONS[question]
    assert [ask(make(shape)) for shape in (*yes, *no)] == [True] * len(yes) + [False] * len(no)


def test_lists_have_axes_too():
    assert axes.are_labels([0, 1])
    assert axes.is_indicator([[0, 1], [1, 1]])


@pytest.mark.parametrize("make", [np.arange, torch.arange])
def test_values_along_an_axis(make):
    assert tuple(axes.across(make(3), np.zeros((2, 3, 4, 4)), axis=1).shape) == (1, 3, 1, 1)
    assert tuple(axes.across(make(3), np.zeros((3, 2))).shape) == (3, 1)
    assert axes.axes_from(2, np.zeros((2, 3, 4, 5))) == (2, 3)
    assert axes.axes_from(2, np.zeros((2, 3))) == ()
