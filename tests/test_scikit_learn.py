"""The table of docs/scikit_learn.md, cell by cell: scikit-learn's meta-estimators."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import sklearn
import torch
from scipy.special import logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier

from segclf import ImageClassifier, OtsuPretrainer, SegmentationClassifier, SupervisedSegmenter

SIZE = 16
GRID = {"segmenter__learning_rate": [1e-3, 1e-2]}


class Witness(SupervisedSegmenter):
    """Sees in `fit` whether each mask came with its own image: a mask is where there is red."""

    def fit(self, X, y, *, labels=None, sample_weight=None, groups=None):
        images = np.asarray(X).reshape(-1, SIZE, SIZE, 3)
        assert y is not None, "no masks arrived"
        np.testing.assert_array_equal(y, images[..., 0] > 128)
        return super().fit(X, y, labels=labels, sample_weight=sample_weight, groups=groups)


def make_data(n_samples=16):
    generator = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    X = generator.integers(0, 100, (n_samples, SIZE, SIZE, 3), dtype=np.uint8)
    for index in np.flatnonzero(y):
        top, left = generator.integers(0, SIZE // 2, 2)
        X[index, top : top + 8, left : left + 8, 0] = 255
    return X, y, (X[..., 0] > 128).astype(np.uint8)


X, Y, MASKS = make_data()
ROWS = X.reshape(len(X), -1)
# Of the sixteen images, nobody labeled four.
PARTLY = np.where(np.isin(np.arange(16), [4, 5, 10, 11]), -1, Y)
PAGE = Path(__file__).parents[1] / "docs" / "scikit_learn.md"


def classifier(kind=Witness, *, image_shape=None, request=None):
    segmenter = kind(encoder="tiny", max_epochs=1, image_shape=image_shape)
    made = SegmentationClassifier(segmenter=segmenter, random_state=0)
    return made if request is None else made.set_fit_request(masks=request)


def search(estimator):
    return GridSearchCV(estimator, GRID, cv=2, error_score="raise")


def halving_search(estimator):
    return HalvingGridSearchCV(
        estimator, GRID, cv=2, min_resources=8, random_state=0, error_score="raise"
    )


def random_search(estimator):
    return RandomizedSearchCV(estimator, GRID, n_iter=2, cv=2, error_score="raise")


def random_halving_search(estimator):
    return HalvingRandomSearchCV(
        estimator, GRID, cv=2, min_resources=8, random_state=0, error_score="raise"
    )


def tuned(estimator):
    return TunedThresholdClassifierCV(estimator, cv=2)


def calibrated(estimator):
    return CalibratedClassifierCV(estimator, cv=2)


def bagged(estimator):
    return BaggingClassifier(estimator, n_estimators=2, random_state=0)


def piped(estimator):
    return make_pipeline(FunctionTransformer(), estimator)


def voting(estimator):
    return VotingClassifier([("one", estimator)], voting="soft")


def stacked(estimator):
    return StackingClassifier([("one", estimator)], cv=2)


def boosted(estimator):
    return AdaBoostClassifier(estimator, n_estimators=1, random_state=0)


def self_trained(estimator):
    return SelfTrainingClassifier(estimator, max_iter=1)


def curve(*given, **options):
    return learning_curve(*given, train_sizes=[1.0], error_score="raise", **options)


def permuted(*given, **options):
    return permutation_test_score(*given, n_permutations=1, **options)


# What takes images and hands masks on in either case, with routing alone, and rows with routing.
SEARCHES = [search, random_search, halving_search, random_halving_search]
EITHER_WAY = [*SEARCHES, calibrated]
WITH_ROUTING = [tuned, FixedThresholdClassifier, voting, OneVsRestClassifier]
ROWS_WITH_ROUTING = [bagged, OneVsOneClassifier, self_trained]
FUNCTIONS = [cross_validate, cross_val_predict, curve]


@pytest.fixture(params=[False, True], ids=["routing-off", "routing-on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def routing_on():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_the_witness_notices():
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        classifier().fit(X, Y, masks=MASKS[::-1])
    with pytest.raises(AssertionError, match="no masks arrived"):
        search(classifier()).fit(X, Y)


@pytest.mark.parametrize("meta", EITHER_WAY)
def test_masks_arrive(meta, routing):
    estimator = meta(classifier(request=True if routing else None))
    assert estimator.fit(X, Y, masks=MASKS).predict(X).shape == Y.shape


@pytest.mark.parametrize("function", FUNCTIONS)
def test_masks_arrive_by_params(function, routing):
    estimator = classifier(request=True if routing else None)
    assert function(estimator, X, Y, cv=2, params={"masks": MASKS}) is not None


def test_a_permutation_test_leaves_masks_behind(routing):
    """It shuffles labels and not masks, which then contradict each other."""
    estimator = classifier(request=True if routing else None)
    with pytest.raises(ValueError, match="Are masks in the order of images and labels"):
        permuted(estimator, X, Y, cv=2, random_state=1, params={"masks": MASKS})


def test_one_versus_rest_of_three_classes_has_ids_of_others(routing_on):
    kinds, masks = Y * (1 + np.arange(16) // 8), MASKS * (1 + np.arange(16) // 8)[:, None, None]
    estimator = OneVsRestClassifier(classifier(SupervisedSegmenter, request=True))
    with pytest.raises(ValueError, match="Labels and masks contradict each other"):
        estimator.fit(X, kinds, masks=masks)


def test_masks_arrive_in_a_pipeline(routing):
    name = "masks" if routing else "segmentationclassifier__masks"
    estimator = piped(classifier(request=True if routing else None))
    assert estimator.fit(X, Y, **{name: MASKS}).predict(X).shape == Y.shape


def test_masks_arrive_in_a_search_over_a_pipeline(routing_on):
    grid = {"segmentationclassifier__segmenter__learning_rate": [1e-3, 1e-2]}
    estimator = GridSearchCV(piped(classifier(request=True)), grid, cv=2, error_score="raise")
    assert estimator.fit(X, Y, masks=MASKS).predict(X).shape == Y.shape


@pytest.mark.parametrize("meta", WITH_ROUTING)
def test_masks_arrive_with_routing(meta, routing_on):
    estimator = meta(classifier(request=True)).fit(X, Y, masks=MASKS)
    assert estimator.predict(X).shape == Y.shape


@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")
@pytest.mark.parametrize("meta", ROWS_WITH_ROUTING)
def test_masks_arrive_with_routing_on_rows(meta, routing_on):
    estimator = meta(classifier(image_shape=(SIZE, SIZE, 3), request=True))
    assert estimator.fit(ROWS, Y, masks=MASKS).predict(ROWS).shape == Y.shape


@pytest.mark.parametrize("meta", [*WITH_ROUTING, *ROWS_WITH_ROUTING, stacked])
def test_need_routing_for_masks(meta):
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        meta(classifier()).fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("meta", ROWS_WITH_ROUTING)
def test_take_no_images(meta, routing_on):
    with pytest.raises(ValueError, match="Found array with dim 4, while dim <= 2 is required"):
        meta(classifier(request=True)).fit(X, Y, masks=MASKS)


def test_stacking_hands_masks_to_its_last_estimator_too(routing_on):
    with pytest.raises(
        TypeError, match=r"LogisticRegression\.fit\(\) got an unexpected .* 'masks'"
    ):
        stacked(classifier(request=True)).fit(X, Y, masks=MASKS)
    first = classifier().fit(X, Y, masks=MASKS)
    estimator = StackingClassifier([("one", first)], cv="prefit").fit(X, Y)
    assert estimator.estimators_ == [first]
    assert estimator.predict(X).shape == Y.shape


def test_boosting_takes_no_masks(routing):
    with pytest.raises(TypeError, match="unexpected keyword argument 'masks'"):
        boosted(classifier(request=True if routing else None)).fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("meta", [search, calibrated, tuned])
def test_routing_wants_a_request(meta, routing_on):
    with pytest.raises(UnsetMetadataPassedError, match="set_fit_request"):
        meta(classifier()).fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("meta", [*EITHER_WAY, *WITH_ROUTING, piped, stacked])
def test_labels_alone_need_no_masks(meta, routing):
    assert meta(classifier(SupervisedSegmenter)).fit(X, Y).predict(X).shape == Y.shape


def on_rows():
    return classifier(SupervisedSegmenter, image_shape=(SIZE, SIZE, 3))


@pytest.mark.parametrize("meta", [*SEARCHES, piped, self_trained])
def test_minus_one_stays_what_nobody_said(meta):
    estimator = meta(on_rows()).fit(ROWS, PARTLY)
    assert estimator.classes_.tolist() == [0, 1]
    assert set(estimator.predict(ROWS)) <= {0, 1}


@pytest.mark.parametrize(
    "meta", [calibrated, voting, stacked, bagged, OneVsRestClassifier, OneVsOneClassifier]
)
def test_minus_one_becomes_a_class(meta):
    assert meta(on_rows()).fit(ROWS, PARTLY).classes_.tolist() == [-1, 0, 1]


@pytest.mark.parametrize("meta", [tuned, FixedThresholdClassifier])
def test_minus_one_is_refused_as_a_third_class(meta):
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        meta(on_rows()).fit(ROWS, PARTLY)


def test_self_training_labels_what_is_minus_one():
    estimator = SelfTrainingClassifier(on_rows(), threshold=0.5, max_iter=1).fit(ROWS, PARTLY)
    np.testing.assert_array_equal(estimator.labeled_iter_ == 1, PARTLY == -1)


def test_boosting_counts_minus_one_as_errors():
    estimator = ImageClassifier(encoder="tiny", max_epochs=20, learning_rate=1e-2, batch_size=4)
    boosting = boosted(estimator).fit(X, PARTLY)
    assert boosting.classes_.tolist() == [0, 1]
    wrong = boosting.predict(X) != PARTLY
    assert boosting.estimator_errors_[0] == pytest.approx(wrong.mean())
    assert wrong[PARTLY == -1].all()


@pytest.mark.parametrize("function", [cross_validate, curve, permuted])
def test_minus_one_is_not_scored_but_by_scorers_of_scikit_learn(function, fitted):
    frozen = FrozenEstimator(fitted)
    own, accuracy = (scored(function, frozen, scoring=scoring) for scoring in (None, "accuracy"))
    labeled = PARTLY >= 0
    expected = np.mean(fitted.predict(X)[labeled] == Y[labeled])
    assert own == pytest.approx(expected, abs=0.1)  # folds hold different numbers of labels
    assert accuracy < own


def scored(function, estimator, **options):
    found = function(estimator, X, PARTLY, cv=2, **options)
    values = (
        found["test_score"] if isinstance(found, dict) else found[2 if function is curve else 0]
    )
    return np.mean(values)


def test_predicting_across_folds_makes_a_class_of_minus_one_only_for_probabilities():
    estimator = classifier(SupervisedSegmenter)
    assert set(cross_val_predict(estimator, X, PARTLY, cv=2)) <= {0, 1}
    probabilities = cross_val_predict(estimator, X, PARTLY, cv=2, method="predict_proba")
    assert probabilities.shape == (16, 3)


def test_the_page_has_a_row_for_each():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    made = [meta(classifier()) for meta in (*EITHER_WAY, *WITH_ROUTING, *ROWS_WITH_ROUTING)]
    made += [piped(classifier()), stacked(classifier()), boosted(classifier())]
    names = {type(each).__name__ for each in made}
    names |= {"cross_validate", "cross_val_predict", "learning_curve", "permutation_test_score"}
    assert set(rows) & names == names
    assert len(names) == 19


@pytest.mark.parametrize("meta", [search, calibrated])
@pytest.mark.parametrize("form", ["list", "paths", "tensor", "rows"])
def test_every_form_of_images(meta, form, tmp_path, routing_on):
    paths = [str(tmp_path / f"{number}.png") for number in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        cv2.imwrite(path, image[..., ::-1])
    tensor = torch.from_numpy(X).permute(0, 3, 1, 2)
    given = {"list": list(X), "paths": paths, "tensor": tensor, "rows": ROWS}[form]
    shape = (SIZE, SIZE, 3) if form == "rows" else None
    estimator = meta(classifier(SupervisedSegmenter, image_shape=shape, request=True))
    array = meta(classifier(SupervisedSegmenter, request=True)).fit(X, Y, masks=MASKS)
    estimator.fit(given, Y, masks=MASKS)
    np.testing.assert_allclose(estimator.predict_proba(given), array.predict_proba(X), atol=1e-6)


def test_groups_and_weights_are_routed(routing_on):
    estimator = classifier(request=True).set_fit_request(
        masks=True, groups=True, sample_weight=True
    )
    estimator.set_params(segmenter__validation_fraction=0.5)
    scores = cross_validate(
        estimator.set_score_request(sample_weight=False),
        X,
        Y,
        cv=2,
        params={"masks": MASKS, "groups": np.arange(16) // 4, "sample_weight": np.ones(16)},
        error_score="raise",
    )
    assert np.isfinite(scores["test_score"]).all()


def test_two_jobs_compute_on_one_thread_each(tmp_path, monkeypatch):
    """The workers write down their threads; a count that is asked for is not overruled."""
    monkeypatch.delenv("SEGCLF_NUM_THREADS", raising=False)

    def optimizer(groups, *, lr, weight_decay):
        n_threads = torch.get_num_threads()
        (tmp_path / f"{lr}-{n_threads}").touch()
        return torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay)

    estimator = classifier(SupervisedSegmenter)
    estimator.set_params(segmenter__optimizer=optimizer)
    grid = [
        {"segmenter__learning_rate": [0.1], "segmenter__n_threads": [None]},
        {"segmenter__learning_rate": [0.2], "segmenter__n_threads": [2]},
    ]
    GridSearchCV(estimator, grid, cv=2, n_jobs=2, refit=False, error_score="raise").fit(
        X, Y, masks=MASKS
    )
    assert {path.name for path in tmp_path.iterdir()} == {"0.1-1", "0.2-2"}


def test_a_search_reaches_the_thresholder_of_a_pretrainer():
    pretrainer = OtsuPretrainer(max_epochs=1, train="end_to_end")
    estimator = classifier().set_params(segmenter__pretrainer=pretrainer)
    names = ["adaptive_gaussian", "adaptive_mean", "ght", "otsu"]
    grid = {"segmenter__pretrainer__thresholder": names}
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X, Y, masks=MASKS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_.segmenter_
    assert best.pretrainer_.thresholder == search.best_params_["segmenter__pretrainer__thresholder"]
    assert best.transferred_["new"] == {}


@pytest.fixture(scope="module")
def fitted():
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=8, learning_rate=1e-2, batch_size=4)
    return SegmentationClassifier(segmenter=segmenter, random_state=0).fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("form", [np.asarray, list])
def test_calibrators_take_a_frozen_classifier(fitted, method, form):
    # Half of the labels are wrong, so that any sure answer is too sure.
    labels = np.where(np.arange(16) % 4 < 2, Y, 1 - Y)
    calibrator = CalibratedClassifierCV(FrozenEstimator(fitted), method=method)
    probabilities = calibrator.fit(form(X), labels).predict_proba(form(X))
    assert calibrator.calibrated_classifiers_[0].estimator.estimator is fitted
    assert log_loss(labels, probabilities) < log_loss(labels, fitted.predict_proba(X))


def test_temperature_keeps_the_order_and_divides_the_logit(fitted):
    labels = np.where(np.arange(16) % 8 < 1, 1 - Y, Y)
    calibrator = CalibratedClassifierCV(FrozenEstimator(fitted), method="temperature")
    before, after = (
        logit(each.predict_proba(X)[:, 1]) for each in (fitted, calibrator.fit(X, labels))
    )
    np.testing.assert_allclose(after / before, (after / before)[0], rtol=1e-4)
    assert (after / before)[0] > 0


def test_a_frozen_segmenter_is_calibrated_with_its_summarizer(fitted):
    inner = SegmentationClassifier(segmenter=FrozenEstimator(fitted.segmenter_))
    calibrator = CalibratedClassifierCV(inner, cv=2, method="temperature").fit(X, Y)
    for each in calibrator.calibrated_classifiers_:
        np.testing.assert_array_equal(each.estimator.predict_masks(X), fitted.predict_masks(X))


def test_the_cut_of_a_frozen_classifier_is_tuned(fitted):
    tuner = TunedThresholdClassifierCV(FrozenEstimator(fitted), cv="prefit", refit=False)
    tuner.fit(X, Y)
    scores = fitted.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(tuner.predict(X), scores >= tuner.best_threshold_)
