"""Scores of masks and features inside of them, in one linear model."""

import numpy as np
import pytest
from segclf_plugins.summarizers import JointSummarizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from segclf import load, save
from segclf.metrics import expected_calibration_error
from segclf.testing import check_plugin

Y = np.arange(60) % 2


def maps(highest):
    P = np.full((len(highest), 1, 8, 8), 0.01)
    P[:, 0, 2:4, 3:5] = np.reshape(highest, (-1, 1, 1))
    return P


def unsure(seed=0, n=60):
    """Scores and features that tell half of the story each."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 2
    P = maps(1 / (1 + np.exp(-random.normal(y - 0.5))))
    return P, y, random.normal(0.6 * y[:, None], 1, (n, 3))


def auroc(summarizer, P, y, **named):
    return roc_auc_score(y, summarizer.predict_proba(P, **named)[:, 1])


def test_promises_of_a_summarizer():
    check_plugin("summarizer", "joint")


def test_it_hears_both():
    P, y, inside = unsure()
    other = unsure(seed=1, n=2000)
    both = JointSummarizer(C=0.1).fit(P, y, inside=inside)
    alone = JointSummarizer(C=0.1).fit(P, y)
    features = LogisticRegression(C=0.1).fit(inside, y)
    joint = auroc(both, other[0], other[1], inside=other[2])
    assert joint > auroc(alone, *other[:2]) + 0.01
    assert joint > roc_auc_score(other[1], features.predict_proba(other[2])[:, 1]) + 0.02


@pytest.mark.parametrize("weight", [1e-3, 1e3])
def test_the_weight_of_the_score(weight):
    """A penalty on the weights falls on what is small."""
    P, y, inside = unsure()
    fitted = JointSummarizer(score_weight=weight).fit(P, y, inside=inside)
    same = fitted.predict_proba(maps(np.full(60, 0.5)), inside=inside)[:, 1]
    assert (np.ptp(same) < 0.05) == (weight > 1)


def test_without_features_it_is_the_order_of_the_highest_pixels():
    P = maps(np.linspace(0.1, 0.9, 60))
    fitted = JointSummarizer().fit(P, Y[np.argsort(Y, kind="stable")])
    assert (np.diff(fitted.predict_proba(P)[:, 1]) > 0).all()


def test_how_many_pixels_are_highest_follows_the_training_masks():
    P, areas = maps(np.linspace(0.1, 0.9, 60)), np.full((60, 1), 1 / 64)
    fitted = JointSummarizer().fit(P, Y, areas=areas)
    assert fitted.min_area_.tolist() == [100 / 224**2]
    assert JointSummarizer().fit(P, Y, areas=areas / 1000).min_area_[0] == pytest.approx(1 / 64_000)


def test_probabilities_are_probabilities():
    """The penalty alone would leave all of them near one half."""
    P, y, inside = unsure(n=2000)
    fitted = JointSummarizer().fit(P, y, inside=inside)
    other = unsure(seed=1, n=2000)
    proba = fitted.predict_proba(other[0], inside=other[2])[:, 1]
    shrunk = LogisticRegression(C=1e-3).fit(np.c_[P[:, 0, 2, 3], inside], y)
    shrunk = shrunk.predict_proba(np.c_[other[0][:, 0, 2, 3], other[2]])[:, 1]
    assert log_loss(other[1], proba) < log_loss(other[1], shrunk) - 0.05
    assert expected_calibration_error(other[1], proba) < 0.05


def test_several_classes():
    random = np.random.default_rng(0)
    y = np.arange(90) % 3
    P = np.where(y[:, None, None, None] > 0, 0.9, 0.1) * np.ones((90, 2, 4, 4))
    inside = random.normal(np.eye(3)[y], 0.2)
    fitted = JointSummarizer(C=1).fit(P, y, inside=inside)
    assert (fitted.predict(P, inside=inside) == y).mean() > 0.95
    np.testing.assert_allclose(fitted.predict_proba(P, inside=inside).sum(axis=1), 1)


def test_many_labels_of_which_one_is_never_there():
    P = np.random.default_rng(0).uniform(0, 1, (40, 2, 4, 4))
    y = np.stack([P[:, 0].max(axis=(1, 2)) > 0.95, np.zeros(40)], axis=1).astype(int)
    fitted = JointSummarizer().fit(P, y)
    assert fitted.predict(P)[:, 1].sum() == 0
    assert roc_auc_score(y[:, 0], fitted.predict_proba(P)[:, 0]) > 0.95


def test_labels_that_nobody_said_teach_nothing():
    P, y, inside = unsure()
    open_ = np.where(np.arange(60) < 40, y, -1)
    some = JointSummarizer().fit(P, open_, inside=inside)
    few = JointSummarizer().fit(P[:40], y[:40], inside=inside[:40])
    np.testing.assert_array_equal(
        some.predict_proba(P, inside=inside), few.predict_proba(P, inside=inside)
    )


def test_one_image_of_a_class():
    P, y, inside = unsure(n=6)
    fitted = JointSummarizer().fit(P, y[[0, 1, 0, 0, 0, 0]], inside=inside)
    assert np.isfinite(fitted.predict_proba(P, inside=inside)).all()


@pytest.mark.parametrize("inside", [None, np.zeros((60, 2)), np.zeros((59, 3))])
def test_other_features_than_in_fit_are_refused(inside):
    P, y, given = unsure()
    fitted = JointSummarizer().fit(P, y, inside=given)
    with pytest.raises(ValueError, match=r"expected \(60, 3\)"):
        fitted.predict_proba(P, inside=inside)


def test_it_is_saved(tmp_path):
    P, y, inside = unsure()
    fitted = JointSummarizer().fit(P, y, inside=inside)
    save(fitted, tmp_path / "joint")
    np.testing.assert_array_equal(
        load(tmp_path / "joint").predict_proba(P, inside=inside),
        fitted.predict_proba(P, inside=inside),
    )


def test_a_weight_counts_as_many_images():
    P, y, inside = unsure()
    weight = np.where(y == 1, 9.0, 1.0)
    plain, heavy = (
        JointSummarizer().fit(P, y, inside=inside, sample_weight=w).predict_proba(P, inside=inside)
        for w in (None, weight)
    )
    assert heavy[:, 1].mean() > plain[:, 1].mean() + 0.2


def test_maps_that_tell_all_give_no_overflow():
    P = maps(np.where(Y == 1, 1.0, 0.0))
    assert np.isfinite(JointSummarizer(C=1e6).fit(P, Y).predict_proba(P)).all()
