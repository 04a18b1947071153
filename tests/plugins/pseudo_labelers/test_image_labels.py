import numpy as np
import pytest
from segclf_plugins.pseudo_labelers.image_labels import as_indicator, image_labels

from segclf.data import as_masks

MASKS = [np.array([[0, 1, 3]]), np.array([[0, 0, 0]]), np.array([[0, -1, 2]]), None]


def test_a_class_that_is_nowhere_may_be_where_nobody_said():
    shown = image_labels(as_masks(MASKS, 4), None)
    assert shown.tolist() == [[1, 0, 1], [0, 0, 0], [-1, 1, -1], [-1, -1, -1]]


def test_channels_are_labeled_each_by_itself():
    mask = np.array([[[0, 1]], [[-1, 0]], [[0, 0]]])
    shown = image_labels(as_masks([mask, None], 2), [[-1, -1, -1], [1, -1, 0]])
    assert shown.tolist() == [[1, -1, 0], [1, -1, 0]]


def test_labels_come_before_masks():
    shown = image_labels(as_masks(MASKS, 4), [-1, -1, 2, 4])
    assert shown.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("labels", [None, [-1, 0]])
def test_where_nobody_said_anything_there_is_one_class_at_least(labels):
    assert image_labels(as_masks(None, 2), labels).shape == (2, 1)
    assert image_labels(as_masks(None, 2), labels, n_classes=3).shape == (2, 3)


def test_labels_of_another_kind_than_the_masks_are_refused():
    with pytest.raises(ValueError, match=r"labels of shape \(4, 3\) do not go with masks of ids"):
        image_labels(as_masks(MASKS, 4), np.zeros((4, 3), dtype=int))


@pytest.mark.parametrize("labels", [[3, 0], [[0, 1, 0], [0, 0, 0]]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match=r"expected ids \(n,\) from -1 to 2, or an indicator"):
        as_indicator(labels, 2, 2)
