"""Every public estimator, found by itself, keeps what scikit-learn and we ask of it."""

import json
import os
import sys
from pathlib import Path

import early
import numpy as np
import pytest
from house.described import described, fitted_attributes
from sklearn.base import clone, is_classifier

import segclf
from segclf.base import ImageTransformer, Pretrainer, Segmenter
from segclf.base.spatial import n_spatial
from segclf.datasets import make_shapes
from segclf.testing import check_segmenter, pretrainer_checks, segmenter_checks
from segclf.testing.small import small_estimator

ROOT = Path(__file__).resolve().parents[1]
# Of scikit-learn 1.9; fewer mean that a tag of ours silenced one.
N_CHECKS = {"classifier": 63, "transformer": 47}
N_SEGMENTER_CHECKS = 42
N_PRETRAINER_CHECKS = 26
N_MULTILABEL_CHECKS = 4
# What a segmenter cannot keep, and why; it fails where it keeps it after all.
EXPECTED_TO_FAIL = {
    ("PiCIESegmenter", "check_refuses_nothing_labeled"): "it learns from images alone",
}
SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
VOLUMES = make_shapes(4, image_size=16, depth=2, n_objects=2, target_radius=4, random_state=0)


def small(kind):
    return small_estimator(kind).set_params(random_state=0)


PUBLIC = [getattr(segclf, name) for name in segclf.__all__]
ESTIMATORS = [t for t in PUBLIC if isinstance(t, type) and hasattr(t, "get_params")]
# The checks are of images; those of volumes are asked in their own tests.
OF_VOLUMES = [kind for kind in ESTIMATORS if n_spatial(kind()) != 2]
SEGMENTERS = [k for k in ESTIMATORS if issubclass(k, Segmenter) and k not in OF_VOLUMES]
CLASSIFIERS = [kind for kind in ESTIMATORS if is_classifier(kind())]
TRANSFORMERS = [kind for kind in ESTIMATORS if issubclass(kind, ImageTransformer)]
PRETRAINERS = [kind for kind in TRANSFORMERS if issubclass(kind, Pretrainer)]
# What is asked of training alone.
OF_TRAINING = {"check_history", "check_two_images", "check_hands_on"}
CHECKED = {**dict.fromkeys(CLASSIFIERS, "classifier"), **dict.fromkeys(TRANSFORMERS, "transformer")}


def by_name(thing):
    return thing.__name__


# What can be asked to read volumes; all others say at fit that they read images.
READ_VOLUMES = {
    *("ImageClassifier", "MAEPretrainer", "MultitaskClassifier", "OtsuPretrainer"),
    *("PseudoLabelSemiSupervised", "SegmentationClassifier", "SimSiamPretrainer"),
    "SupervisedSegmenter",
}


def asked_for_volumes(kind):
    """Return an estimator with an encoder of volumes, or around one that has it."""
    names = kind().get_params(deep=False)
    if inside := [name for name in ("segmenter", "estimator", "teacher") if name in names]:
        return kind(**{inside[0]: segclf.SupervisedSegmenter(encoder="tiny3d")})
    return kind(**{"cnn" if "cnn" in names else "encoder": "tiny3d"})


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_it_reads_volumes_or_says_by_name_that_it_does_not(kind):
    estimator = asked_for_volumes(kind)
    if kind.__name__ in READ_VOLUMES:
        assert n_spatial(estimator) == 3
        return
    with pytest.raises(ValueError, match=f"{kind.__name__}.*(images|volumes)"):
        estimator.fit(VOLUMES.images, VOLUMES.target)


def test_all_are_found():
    assert {kind.__name__ for kind in SEGMENTERS} >= {"SupervisedSegmenter"}
    assert {kind.__name__ for kind in CLASSIFIERS} >= {"SegmentationClassifier", "ImageClassifier"}
    assert len(PRETRAINERS) >= 8
    assert len(segmenter_checks()) >= N_SEGMENTER_CHECKS
    assert len(pretrainer_checks()) >= N_PRETRAINER_CHECKS


@pytest.mark.parametrize("kind", SEGMENTERS, ids=by_name)
@pytest.mark.parametrize("check", segmenter_checks(), ids=by_name)
def test_segmenter(kind, check, request):
    reason = EXPECTED_TO_FAIL.get((kind.__name__, check.__name__))
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))
    check(small(kind))


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", TRANSFORMERS, ids=by_name)
@pytest.mark.parametrize("check", pretrainer_checks(), ids=by_name)
def test_transformer(kind, check):
    if kind not in PRETRAINERS and check.__name__ in OF_TRAINING:
        pytest.skip("it trains nothing")
    check(small(kind))


def test_check_segmenter_names_what_fails():
    """A segmenter that hands each image's mask to the next fails, and is told by which checks."""

    class Careless(segclf.SupervisedSegmenter):
        def predict_proba(self, X):
            return np.roll(super().predict_proba(X), 1, axis=0)

    with pytest.raises(ExceptionGroup, match="check_subset_invariance") as raised:
        check_segmenter(Careless(encoder="tiny", max_epochs=2, learning_rate=1e-2))
    assert any("check_lists_of_sizes" in error.__notes__[-1] for error in raised.value.exceptions)


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_clone(kind):
    estimator = small(kind)
    copy = clone(estimator)
    assert copy is not estimator
    assert repr(copy.get_params()) == repr(estimator.get_params())
    assert vars(copy).keys() == set(estimator.get_params(deep=False))


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_help_describes_what_was_learned(kind):
    estimator = small_estimator(kind, max_epochs=1)
    shapes = VOLUMES if kind in OF_VOLUMES else SHAPES
    estimator.fit(shapes.images, shapes.target if kind in CLASSIFIERS else shapes.masks)
    assert fitted_attributes(estimator) <= set(described(kind, "Attributes"))


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=by_name)
def test_classifier_same_seed_same_bits(kind):
    first, second = (
        small(kind).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks) for _ in range(2)
    )
    expected = first.predict_proba(SHAPES.images)
    np.testing.assert_array_equal(second.predict_proba(SHAPES.images), expected)
    first.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    np.testing.assert_array_equal(first.predict_proba(SHAPES.images), expected)


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=by_name)
def test_classifier_judges_each_image_alone(kind):
    trained = small(kind).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    together = trained.predict_proba(SHAPES.images)
    order = np.random.default_rng(0).permutation(len(together))
    shuffled = trained.predict_proba(SHAPES.images[order])
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-7)
    for index, expected in enumerate(together):
        alone = trained.predict_proba(SHAPES.images[index : index + 1])
        np.testing.assert_allclose(alone[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=by_name)
@pytest.mark.parametrize("value", [0, 7, 255])
def test_classifier_on_constant_images(kind, value):
    flat = np.full_like(SHAPES.images, value)
    for images in (SHAPES.images, flat):
        trained = small(kind).fit(images, SHAPES.target, masks=SHAPES.masks)
        probabilities = trained.predict_proba(flat)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=by_name)
def test_weights_go_by_position_and_log_odds_go_with_predictions(kind):
    weights = np.array([1, 2, 1, 2, 1, 2, 1, 2])
    by_position = small(kind).fit(SHAPES.images, SHAPES.target, weights, masks=SHAPES.masks)
    by_name = small(kind).fit(
        SHAPES.images, SHAPES.target, masks=SHAPES.masks, sample_weight=weights
    )
    probabilities = by_position.predict_proba(SHAPES.images)
    np.testing.assert_array_equal(by_name.predict_proba(SHAPES.images), probabilities)
    odds = by_position.decision_function(SHAPES.images)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), probabilities[:, 1], atol=1e-9)
    np.testing.assert_array_equal(odds > 0, by_position.predict(SHAPES.images) == 1)
    logarithms = by_position.predict_log_proba(SHAPES.images)
    np.testing.assert_array_equal(np.exp(logarithms), np.exp(np.log(probabilities)))


# scikit-learn's own checks, in a process where scipy knows the array API.
REPORTS = os.environ.get("CI_ARTIFACTS", ".")
COMPLIANCE = early.Process(
    (sys.executable, str(ROOT / "benchmarks" / "compliance.py"), "--folder", REPORTS),
    (("OMP_NUM_THREADS", "1"),),
)


@pytest.fixture(scope="module")
def compliance():
    done = early.result(COMPLIANCE)
    written = done.folder / REPORTS / "scikit_learn_compliance.json"
    assert "| estimator |" in done.output, done.output
    print(done.output)
    return json.loads(written.read_text())["estimators"]


@pytest.mark.early(COMPLIANCE)
@pytest.mark.parametrize("kind", CHECKED, ids=by_name)
def test_check_estimator(compliance, kind):
    results = compliance[kind.__name__]["check_estimator"]
    assert [one for one in results if one["state"] not in ("passed", "xfail")] == []
    exempt = [one["check"] for one in results if one["state"] == "xfail"]
    assert [c for c in exempt if not c.startswith("check_sample_weight_equivalence")] == []
    assert len(results) >= N_CHECKS[CHECKED[kind]]
    print(f"{kind.__name__}: {len(results)} checks, {len(exempt)} of them expected to fail")


@pytest.mark.early(COMPLIANCE)
@pytest.mark.parametrize("kind", CLASSIFIERS, ids=by_name)
def test_multilabel_checks(compliance, kind):
    results = compliance[kind.__name__]["multilabel"]
    assert [one for one in results if one["state"] != "passed"] == []
    assert len(results) >= N_MULTILABEL_CHECKS


@pytest.mark.early(COMPLIANCE)
def test_skorch_ran_the_same_checks(compliance):
    theirs = {one["check"] for one in compliance["skorch NeuralNetClassifier"]["check_estimator"]}
    ours = {one["check"] for one in compliance["ImageClassifier"]["check_estimator"]}
    assert len(theirs & ours) >= 40
