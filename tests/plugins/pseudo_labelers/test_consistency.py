import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import ConsistencyLabeler
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state

from segclf import (
    ConsistencySegmenter,
    DistilledSegmenter,
    PseudoLabelSemiSupervised,
    SupervisedSegmenter,
)
from segclf.datasets import make_shapes

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
MASKS = [mask if i in (0, 3) else None for i, mask in enumerate(SHAPES.masks)]
TEACHER = ConsistencySegmenter(encoder="tiny", max_epochs=8, learning_rate=1e-2, batch_size=3)


def sure(maps):
    """Hooper et al.: a pixel counts where the largest probability is above .5 + .15."""
    return np.where(maps.max(axis=1) > 0.65, maps.argmax(axis=1), -1)


def test_both_steps_by_hand():
    labeler = ConsistencyLabeler(teacher=TEACHER, random_state=0).fit(SHAPES.images, MASKS)
    seed = check_random_state(0).randint(np.iinfo(np.int32).max)
    first, second = check_random_state(seed).randint(np.iinfo(np.int32).max, size=2)
    teacher = ConsistencySegmenter(**TEACHER.get_params()).set_params(random_state=first)
    teacher.fit(SHAPES.images, MASKS)
    by_hand = DistilledSegmenter(
        FrozenEstimator(teacher), temperature=1.0, margin=0.15, on="masks_too", random_state=seed
    ).fit(SHAPES.images, MASKS)
    assert by_hand.student_.random_state == second
    maps = by_hand.predict_proba(SHAPES.images)
    np.testing.assert_array_equal(labeler.predict_proba(SHAPES.images), maps)
    np.testing.assert_array_equal(labeler.predict(SHAPES.images), sure(maps))
    assert {*np.unique(sure(maps))} == {-1, 0}, "of some it is sure, of some it is not"


def test_the_teacher_alone():
    labeler = ConsistencyLabeler(teacher=TEACHER, soft=False, random_state=0)
    labeler.fit(SHAPES.images, MASKS)
    seed = check_random_state(0).randint(np.iinfo(np.int32).max)
    alone = ConsistencySegmenter(**TEACHER.get_params()).set_params(random_state=seed)
    maps = alone.fit(SHAPES.images, MASKS).predict_proba(SHAPES.images)
    np.testing.assert_array_equal(labeler.predict(SHAPES.images), sure(maps))


def test_which_teachers_there_are():
    given = FrozenEstimator(TEACHER)
    made = ConsistencyLabeler()._new_teachers()
    assert [type(each) for each in made] == [DistilledSegmenter]
    assert (made[0].teacher.encoder, made[0].margin, made[0].on) == ("tiny", 0.15, "masks_too")
    several = ConsistencyLabeler(teacher=[TEACHER, given])._new_teachers()
    assert isinstance(several[0], DistilledSegmenter)
    assert several[1] is given
    assert isinstance(ConsistencyLabeler(teacher=None)._new_teachers()[0], SupervisedSegmenter)
    with pytest.raises(ValueError, match="'teacher' parameter of ConsistencyLabeler"):
        ConsistencyLabeler(teacher="inconsistency").fit(SHAPES.images, MASKS)


def test_by_its_name():
    tiny = SupervisedSegmenter(encoder="tiny", max_steps=1)
    segmenter = PseudoLabelSemiSupervised(tiny, labeler="consistency", random_state=0)
    segmenter.fit(SHAPES.images, MASKS)
    assert isinstance(segmenter.labeler_, ConsistencyLabeler)
    assert isinstance(segmenter.labeler_.teacher_, DistilledSegmenter)
