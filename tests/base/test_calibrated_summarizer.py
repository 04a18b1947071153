import numpy as np
import pytest
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

import segclf
from segclf import SegmentationClassifier, SupervisedSegmenter, load_plugin
from segclf.base import CalibratedSummarizer
from segclf.datasets import make_shapes
from segclf.metrics import expected_calibration_error

METHODS = ("sigmoid", "isotonic")


def overconfident_maps(n=600, k=1, seed=0):
    """Maps four times as sure, in log-odds, as they should be; labels by the true probabilities."""
    random = np.random.default_rng(seed)
    log_odds = random.normal(-0.3, 1.2, (n, k))
    y = (random.random((n, k)) < 1 / (1 + np.exp(-log_odds))).astype(int)
    P = 1 / (1 + np.exp(-4 * log_odds))
    return np.tile(P[..., None, None], (1, 1, 3, 3)).astype(np.float32), y


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_can_be_believed(method):
    (P, y), (P_test, y_test) = overconfident_maps(), overconfident_maps(seed=1)
    plain = ThresholdSummarizer().fit(P, y[:, 0])
    calibrated = CalibratedSummarizer(plain, method=method).fit(P, y[:, 0])
    before, after = (each.predict_proba(P_test)[:, 1] for each in (plain, calibrated))
    error = expected_calibration_error(y_test[:, 0], before)
    assert error > 0.15
    assert expected_calibration_error(y_test[:, 0], after) < error / 2
    assert log_loss(y_test, after) < log_loss(y_test, before)
    np.testing.assert_allclose(calibrated.predict_proba(P_test).sum(axis=1), 1)


def test_a_sigmoid_keeps_the_order():
    P, y = overconfident_maps(200)
    plain = ThresholdSummarizer().fit(P, y[:, 0])
    calibrated = CalibratedSummarizer(plain, method="sigmoid").fit(P, y[:, 0])
    before, after = (each.predict_proba(P)[:, 1] for each in (plain, calibrated))
    assert roc_auc_score(y, after) == roc_auc_score(y, before)
    assert not np.array_equal(calibrated.predict(P), plain.predict(P))


def test_a_sigmoid_is_that_of_scikit_learn():
    """Who fits it to the log-odds, too, where an estimator has them."""

    class LogOdds(ThresholdSummarizer):
        def decision_function(self, P):
            p = self.predict_proba(P)[:, 1]
            return np.log(p + 1e-4) - np.log(1 - p + 1e-4)

    P, y = overconfident_maps(200)
    ours = CalibratedSummarizer(ThresholdSummarizer(), method="sigmoid").fit(P, y[:, 0])
    fitted = FrozenEstimator(LogOdds().fit(P, y[:, 0]))
    theirs = CalibratedClassifierCV(fitted, method="sigmoid", cv=2, ensemble=False)
    expected = theirs.fit(P, y[:, 0]).predict_proba(P)
    np.testing.assert_allclose(ours.predict_proba(P), expected, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_several_classes(method):
    P, there = overconfident_maps(400, k=3)
    y = np.where(there.any(axis=1), 1 + (P[:, :, 0, 0] * there).argmax(axis=1), 0)
    plain = ThresholdSummarizer().fit(P, y)
    calibrated = CalibratedSummarizer(plain, method=method).fit(P, y)
    proba = calibrated.predict_proba(P)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(calibrated.predict(P), proba.argmax(axis=1))
    truth, before = np.eye(4)[y].ravel(), plain.predict_proba(P).ravel()
    error = expected_calibration_error(truth, before)
    assert expected_calibration_error(truth, proba.ravel()) < error / 2


@pytest.mark.parametrize("method", METHODS)
def test_several_labels_at_once(method):
    P, y = overconfident_maps(400, k=2)
    plain = ThresholdSummarizer().fit(P, y)
    calibrated = CalibratedSummarizer(plain, method=method).fit(P, y)
    proba = calibrated.predict_proba(P)
    for label in range(2):
        error = expected_calibration_error(y[:, label], plain.predict_proba(P)[:, label])
        assert expected_calibration_error(y[:, label], proba[:, label]) < error / 2
    np.testing.assert_array_equal(calibrated.predict(P), proba >= 0.5)


def test_a_summarizer_that_learns_is_calibrated_on_what_it_did_not_see():
    """A linear layer on 100 pixels of noise fits 40 labels, and says nothing of others."""
    random = np.random.default_rng(0)
    rows, y = random.random((40, 100)), np.arange(40) % 2
    learns = LogisticRegression(C=1e6)
    assert learns.fit(rows, y).predict_proba(rows)[y == 1, 1].min() > 0.99
    calibrated = CalibratedSummarizer(learns).fit(rows, y)
    assert abs(calibrated.predict_proba(rows)[:, 1] - 0.5).max() < 0.4


class Insider(ClassifierMixin, BaseEstimator):
    """Says what it hears of the inside, and checks that it hears of the same images."""

    def fit(self, P, y, areas=None, inside=None):
        np.testing.assert_array_equal(P[:, 0, 0, 0], inside[:, 0])
        np.testing.assert_array_equal(areas, inside)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, P, inside=None):
        np.testing.assert_array_equal(P[:, 0, 0, 0], inside[:, 0])
        return np.column_stack([1 - inside[:, 0], inside[:, 0]])


def test_what_lies_inside_of_findings_is_handed_on():
    P, y = overconfident_maps(200)
    inside = P[:, 0, :1, 0]
    calibrated = CalibratedSummarizer(Insider()).fit(P, y[:, 0], areas=inside, inside=inside)
    plain = CalibratedSummarizer(ThresholdSummarizer()).fit(P, y[:, 0])
    expected = plain.predict_proba(P)
    np.testing.assert_allclose(calibrated.predict_proba(P, inside), expected, atol=1e-4)


def test_two_images_of_a_class_are_needed_where_the_summarizer_learns():
    with pytest.raises(ValueError, match="two labeled images of each class"):
        CalibratedSummarizer(LogisticRegression()).fit(np.eye(4), [0, 0, 0, 1])


class Memory(BaseEstimator):
    """Sure of each image that it saw, and of no other."""

    fits = 0

    def fit(self, X, masks):
        type(self).fits += 1
        self.seen_ = {image.tobytes(): mask.any() for image, mask in zip(X, masks, strict=True)}
        return self

    def predict_proba(self, X):
        said = [{True: 0.99, False: 0.01, None: 0.5}[self.seen_.get(x.tobytes())] for x in X]
        found = np.asarray(said)[:, None, None] * np.ones((len(X), 8, 8))
        return np.stack([1 - found, found], axis=1)


@pytest.mark.parametrize(("cv", "n_fits"), [(None, 6), (3, 4)])
def test_it_learns_from_masks_out_of_fold(cv, n_fits):
    X = np.random.default_rng(0).random((30, 8, 8))
    y = np.arange(30) % 2
    masks = np.tile(y[:, None, None], (1, 8, 8))
    Memory.fits = 0
    classifier = SegmentationClassifier(
        segmenter=Memory(), summarizer="threshold", cv=cv, calibrate="sigmoid"
    )
    proba = classifier.fit(X, y, masks=masks).predict_proba(X)
    assert Memory.fits == n_fits
    np.testing.assert_allclose(proba, 0.5, atol=1e-6)  # of others it knows nothing
    Memory.fits = 0
    sure = clone(classifier).set_params(calibrate=None, cv=None).fit(X, y, masks=masks)
    assert Memory.fits == 1
    assert sure.predict_proba(X)[y == 1, 1].min() > 0.98


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(12, image_size=32, n_objects=3, random_state=0)


@pytest.mark.parametrize(
    ("summarizer", "changes"),
    [
        ("threshold", {"calibrate": "isotonic"}),
        ("pooled", {}),
        (load_plugin("summarizer", "embedding")(max_epochs=1), {}),
        ("threshold", {"ensemble": True}),
        ("joint", {}),
    ],
    ids=["isotonic", "learns", "layer", "ensemble", "joint"],
)
def test_saved_and_loaded_it_says_the_same(summarizer, changes, shapes, tmp_path):
    given = {"calibrate": "sigmoid", "cv": 2, "random_state": 0, **changes}
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    classifier = SegmentationClassifier(segmenter=segmenter, summarizer=summarizer, **given)
    fitted = classifier.fit(shapes.images, shapes.target, masks=shapes.masks)
    proba = fitted.predict_proba(shapes.images)
    np.testing.assert_array_equal(fitted.predict(shapes.images), proba.argmax(axis=1))
    segclf.save(fitted, tmp_path / "fitted.segclf")
    again = segclf.load(tmp_path / "fitted.segclf")
    np.testing.assert_array_equal(again.predict_proba(shapes.images), proba)


def test_memory_finds_the_folds_again(tmp_path):
    X = np.random.default_rng(0).random((20, 8, 8))
    y = np.arange(20) % 2
    masks = np.tile(y[:, None, None], (1, 8, 8))
    classifier = SegmentationClassifier(
        segmenter=Memory(), summarizer="threshold", memory=tmp_path, random_state=0
    )
    Memory.fits = 0
    for method in METHODS:
        classifier.set_params(calibrate=method).fit(X, y, masks=masks)
        assert Memory.fits == 6
