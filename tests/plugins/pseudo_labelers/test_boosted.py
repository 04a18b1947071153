import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import BoostedLabeler, SelfTrainingLabeler


def two_classes(foreground):
    foreground = np.asarray(foreground)[:, None]
    return np.stack([1 - foreground, foreground], axis=1)


def test_boosting_empties_negatives_and_drops_positives_without_a_region(predicted):
    maps = two_classes([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.1, 0.1, 0.4], [0.1, 0.1, 0.1]])
    expected = [[[0, 0, 0]], [[1, 0, -1]], [[-1, -1, -1]], [[0, 0, 0]]]
    assert predicted(BoostedLabeler, maps, [0, 1, 1, -1]) == expected
    assert predicted(BoostedLabeler, maps) == predicted(SelfTrainingLabeler, maps)


def test_a_region_counts_though_the_teacher_is_not_sure_of_it(predicted):
    maps = two_classes([[0.1, 0.6, 0.6, 0.4]])
    assert predicted(BoostedLabeler, maps, [1], min_area=2) == [[[0, -1, -1, -1]]]
    assert predicted(BoostedLabeler, maps, [1], min_area=3) == [[[-1, -1, -1, -1]]]


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
