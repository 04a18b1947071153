import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import SelfTrainingLabeler
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from segclf import ConsistencySegmenter, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 1}


def two_classes(foreground):
    foreground = np.asarray(foreground)[:, None]
    return np.stack([1 - foreground, foreground], axis=1)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0.25, [[0, -1, -1, -1, 1]]),  # .75 itself is not above it
        (0.125, [[0, 0, -1, 1, 1]]),
        (None, [[0, 0, 0, 1, 1]]),
    ],
)
def test_a_pixel_is_kept_where_the_teacher_is_sure(predicted, margin, expected):
    maps = two_classes([[0.125, 0.25, 0.5, 0.75, 0.875]])
    assert predicted(SelfTrainingLabeler, maps, margin=margin) == [expected]


@pytest.mark.parametrize(("margin", "expected"), [(0.15, [-1, -1, -1, 1]), (0.05, [0, 0, 1, 1])])
def test_margins_of_the_reference(predicted, margin, expected):
    """.15 in its script, and .05 on its command line."""
    maps = two_classes([[0.36, 0.44, 0.56, 0.66]])
    assert predicted(SelfTrainingLabeler, maps, threshold=None, margin=margin) == [[expected]]


def test_with_many_classes_few_reach_one_half(predicted):
    maps = np.array([[[[0.3, 0.1]], [[0.3, 0.2]], [[0.4, 0.7]]]])
    assert predicted(SelfTrainingLabeler, maps, threshold=None, margin=0.15) == [[[-1, 2]]]
    assert predicted(SelfTrainingLabeler, maps, threshold=None) == [[[2, 2]]]
    assert predicted(SelfTrainingLabeler, maps, threshold=0.5) == [[[0, 2]]]
    assert predicted(SelfTrainingLabeler, maps, threshold=[0.1, 0.35]) == [[[1, 2]]]


def test_self_training_heeds_labels(predicted):
    maps = two_classes([[0.9, 0.1], [0.9, 0.5], [0.1, 0.1], [0.1, 0.1]])
    expected = [[[0, 0]], [[1, -1]], [[-1, -1]], [[0, 0]]]
    assert predicted(SelfTrainingLabeler, maps, [0, 1, 1, -1], margin=0.15) == expected


def test_the_teacher_is_trained_on_what_is_labeled_by_the_seed():
    masks = [*SHAPES.masks[:3], None, None, None]
    labeler = SelfTrainingLabeler(teacher=SupervisedSegmenter(**TINY), random_state=3)
    labeler.fit(SHAPES.images, masks, labels=SHAPES.target, sample_weight=np.arange(1, 7))
    teacher = clone(labeler.teacher).set_params(random_state=labeler.teacher_.random_state)
    teacher.fit(SHAPES.images, masks, labels=SHAPES.target, sample_weight=np.arange(1, 7))
    np.testing.assert_array_equal(
        labeler.predict_proba(SHAPES.images), teacher.predict_proba(SHAPES.images)
    )
    assert labeler.teacher.random_state is None


def test_a_frozen_teacher_is_used_as_it_is():
    teacher = SupervisedSegmenter(**TINY, random_state=0).fit(SHAPES.images, SHAPES.masks)
    labeler = SelfTrainingLabeler(teacher=FrozenEstimator(teacher), margin=None, random_state=1)
    labeler = clone(labeler).fit(SHAPES.images, None)
    np.testing.assert_array_equal(labeler.predict(SHAPES.images), teacher.predict(SHAPES.images))


def test_the_reference_teaches_by_consistency():
    labeler = SelfTrainingLabeler(teacher=ConsistencySegmenter(**TINY), random_state=0)
    labeler.fit(SHAPES.images, [*SHAPES.masks[:3], None, None, None])
    assert labeler.teacher_.history_["consistency"] > 0
    assert labeler.predict(SHAPES.images).shape == SHAPES.masks.shape
