from itertools import chain

import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import BoostedLabeler, SelfTrainingLabeler
from segclf_plugins.pseudo_labelers.teaching import Teaching
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from segclf import SupervisedSegmenter, save
from segclf.base import SegmenterEnsemble, supervise
from segclf.datasets import make_shapes
from segclf.persistence import load

SHAPES = make_shapes(10, image_size=16, n_objects=2, target_radius=4, random_state=0)
N = 8  # have masks
MASKS = [mask if i < N else None for i, mask in enumerate(SHAPES.masks)]
POSITIVE = [i for i in range(N) if SHAPES.target[i]]
TINY = {"encoder": "tiny", "max_epochs": 1}


class Honest(BaseEstimator):
    """Knows nothing (.2 everywhere) but the images that it was taught: these it knows by heart."""

    fits = []  # noqa: RUF012

    def fit(self, X, y, *, labels=None, groups=None):
        self.n_classes_, self.multilabel_ = 2, False
        self.seen_ = {X[i].tobytes(): mask for i, mask in enumerate(y) if mask is not None}
        self.fits.append(sorted(i for i, mask in enumerate(y) if mask is not None))
        return self

    def predict_proba(self, X):
        maps = np.stack([self.seen_.get(x.tobytes(), 0) * np.ones(x.shape[:2]) for x in X])
        faint = [0.2 + 0.1 * (SHAPES.masks[i] > 0) for i in map(_index, X)]
        foreground = np.where(maps > 0, 0.9, np.stack(faint))
        return np.stack([1 - foreground, foreground], axis=1)


def _index(image):
    return int(np.flatnonzero((SHAPES.images == image).all((1, 2, 3)))[0])


@pytest.fixture
def fits():
    Honest.fits.clear()
    return Honest.fits


def folds(masks=MASKS, labels=None, groups=None, n_folds=3):
    supervision = supervise(SHAPES.images, masks=masks, labels=labels, groups=groups)
    teaching = Teaching(teachers=[], supervision=supervision, context=None)
    return [rows.tolist() for rows in teaching.folds(n_folds)]


def test_a_threshold_is_of_images_that_the_teacher_has_not_seen(fits):
    labeler = SelfTrainingLabeler(teacher=Honest()).fit(SHAPES.images, MASKS, labels=SHAPES.target)
    # By heart it would be anything from .3 to .9; of others a finding is at .3 and the rest at .2.
    np.testing.assert_allclose(labeler.thresholds_, 0.3)
    hidden = [sorted(set(range(N)) - set(seen)) for seen in fits[:-1]]
    assert sorted(chain.from_iterable(hidden)) == POSITIVE
    assert fits[-1] == list(range(N))
    predicted = labeler.predict(SHAPES.images[N:], labels=SHAPES.target[N:])
    np.testing.assert_array_equal(predicted, SHAPES.masks[N:])


def test_a_refit_stands_for_a_frozen_teacher(fits):
    teacher = FrozenEstimator(Honest().fit(SHAPES.images, MASKS))
    asked = []

    def refit(rows):
        asked.extend(rows.tolist())
        return Honest().fit(SHAPES.images, [None if i in rows else m for i, m in enumerate(MASKS)])

    labeler = SelfTrainingLabeler(teacher=teacher)
    alone = labeler.fit(SHAPES.images, MASKS, labels=SHAPES.target).thresholds_
    assert alone > 0.3, "a frozen teacher answers for itself, of masks that it has seen"
    labeler.fit(SHAPES.images, MASKS, labels=SHAPES.target, refit=refit)
    np.testing.assert_allclose(labeler.thresholds_, 0.3)
    assert sorted(asked) == POSITIVE


def test_findings_alone_are_judged_where_all_labels_are_there():
    assert sorted(chain.from_iterable(folds(labels=SHAPES.target))) == POSITIVE
    assert sorted(chain.from_iterable(folds())) == list(range(N))
    some = np.where(np.arange(10) == 9, -1, SHAPES.target)
    assert sorted(chain.from_iterable(folds(labels=some))) == list(range(N))


def test_folds_share_findings_evenly_and_keep_groups():
    shows = [sum(i in POSITIVE for i in rows) for rows in folds(n_folds=2)]
    assert max(shows) - min(shows) <= 1
    groups = np.arange(10) // 2
    for rows in folds(groups=groups, n_folds=2):
        assert set(groups[rows]).isdisjoint(groups[np.setdiff1d(np.arange(N), rows)])
    assert folds(n_folds=50) == folds(n_folds=len(POSITIVE))
    assert folds(groups=np.zeros(10)) == []


def test_one_finding_tunes_nothing(fits):
    masks = [m if i == POSITIVE[0] else None for i, m in enumerate(MASKS)]
    labeler = BoostedLabeler(teacher=Honest()).fit(SHAPES.images, masks)
    assert labeler.thresholds_ is None
    assert len(fits) == 1


@pytest.mark.parametrize(("threshold", "expected"), [(0.25, [0.25]), ([0.1], [0.1]), (None, None)])
def test_thresholds_that_are_given_cost_no_teacher(fits, threshold, expected):
    labeler = BoostedLabeler(teacher=Honest(), threshold=threshold).fit(SHAPES.images, MASKS)
    assert labeler.thresholds_ is None if expected is None else labeler.thresholds_ == expected
    assert len(fits) == 1


def test_several_teachers_answer_by_their_mean():
    teachers = [SupervisedSegmenter(**TINY), SupervisedSegmenter(**TINY, learning_rate=0.1)]
    labeler = BoostedLabeler(teacher=teachers, threshold=0.5, random_state=0)
    labeler.fit(SHAPES.images, MASKS)
    members = labeler.teacher_.segmenters_
    assert len({each.random_state for each in members}) == 2
    mean = np.mean([each.predict_proba(SHAPES.images) for each in members], axis=0)
    np.testing.assert_allclose(labeler.predict_proba(SHAPES.images), mean, atol=1e-6)
    np.testing.assert_array_equal(labeler.predict(SHAPES.images), mean[:, 1] > 0.5)


def test_the_teachers_of_the_folds_may_answer_together(fits):
    labeler = BoostedLabeler(teacher=Honest(), ensemble=True)
    labeler.fit(SHAPES.images, MASKS, labels=SHAPES.target)
    assert isinstance(labeler.teacher_, SegmenterEnsemble)
    assert len(fits) == len(labeler.teacher_.segmenters_) == 3
    maps = labeler.predict_proba(SHAPES.images)[POSITIVE, 1]
    # Two of three know an image by heart, .9, and to the third it is as any other, .3.
    assert maps.max() == pytest.approx((0.9 + 0.9 + 0.3) / 3)


def test_an_ensemble_comes_back_from_a_file(tmp_path):
    teacher = SupervisedSegmenter(**TINY)
    labeler = BoostedLabeler(teacher=[teacher, teacher], ensemble=True, cv=2, random_state=0)
    labeler.fit(SHAPES.images, MASKS, labels=SHAPES.target)
    save(labeler, tmp_path / "labeler")
    loaded = load(tmp_path / "labeler")
    given = {"labels": SHAPES.target}
    np.testing.assert_array_equal(
        loaded.predict(SHAPES.images, **given), labeler.predict(SHAPES.images, **given)
    )
    np.testing.assert_array_equal(loaded.thresholds_, labeler.thresholds_)
