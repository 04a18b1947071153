"""An explicit validation set: what it decides, what it never enters, and what is refused."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    MultitaskClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.base import SegmenterEnsemble, network_estimator
from segclf.data import Whole
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
OTHERS = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=1)
TINY = {"encoder": "tiny", "random_state": 0, "max_epochs": 3, "learning_rate": 0.01}
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
X_VAL, Y_VAL, MASKS_VAL = OTHERS.images[:8], OTHERS.target[:8], OTHERS.masks[:8]


def segmenter(**changes):
    return SupervisedSegmenter(**{**TINY, "class_weight": "balanced", **changes})


def whole(**changes):
    return SegmentationClassifier(segmenter=segmenter(**changes), random_state=0)


def fits(kind, wrap=lambda values: values, X_val=X_VAL, y_val=Y_VAL, masks_val=MASKS_VAL, **how):
    """Fit an estimator of the kind; its history tells what it was validated on."""
    X_val, y_val, masks_val = map(wrap, (X_val, y_val, masks_val))
    if kind is SupervisedSegmenter:
        return segmenter(**how).fit(X, MASKS, X_val=X_val, y_val=masks_val)
    if kind is SegmentationClassifier:
        estimator = whole(**how)
    else:
        estimator = kind(**{**TINY, **how})
    given = {"X_val": X_val, "y_val": y_val, "masks_val": masks_val}
    return estimator.fit(X, Y, masks=None if kind is ImageClassifier else MASKS, **given)


def trained(estimator):
    return getattr(estimator, "segmenter_", estimator)


KINDS = [SupervisedSegmenter, SegmentationClassifier, ImageClassifier, MultitaskClassifier]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_measured_and_teaches_nothing(kind):
    """The last epoch's weights are those of a fit without it, but for what tells the best one."""
    fitted = trained(fits(kind))
    alone = trained(fits(kind, X_val=None, y_val=None, masks_val=None))
    other = trained(fits(kind, X_val=X_VAL[::-1], wrap=lambda values: values))
    for name, value in alone.network_.state_dict().items():
        assert np.array_equal(value, fitted.network_.state_dict()[name])
    assert set(fitted.history_) - set(alone.history_) >= {"validation_loss"}
    assert list(fitted.history_["loss"]) == list(alone.history_["loss"])
    assert list(fitted.history_["validation_loss"]) != list(other.history_["validation_loss"])


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_the_best_epoch(kind):
    monitor = "iou" if kind is SupervisedSegmenter else "auroc"
    fitted = trained(fits(kind, Whole, monitor=monitor))
    column = fitted.history_[f"validation_{monitor}"]
    assert len(column) == 3
    if kind is SupervisedSegmenter:
        assert column.max() == pytest.approx(fitted.score(X_VAL, MASKS_VAL))


def test_labels_tell_what_images_without_masks_show():
    fitted = segmenter(monitor="auroc")
    fitted.fit(X, MASKS, X_val=X_VAL, labels_val=MASKS_VAL.max(axis=(1, 2)))
    by_masks = segmenter(monitor="auroc").fit(X, MASKS, X_val=X_VAL, y_val=MASKS_VAL)
    columns = [each.history_["validation_auroc"] for each in (fitted, by_masks)]
    assert np.array_equal(*columns)


def test_the_summarizer_never_sees_it():
    seen = []

    class Watching(LogisticRegression):
        def fit(self, P, y, sample_weight=None):
            seen.append(len(P))
            return super().fit(P, y)

    classifier = whole().set_params(summarizer=Watching(), cv=2)
    classifier.fit(X, Y, masks=MASKS, X_val=X_VAL, y_val=Y_VAL, masks_val=MASKS_VAL)
    assert seen == [12]
    assert "validation_loss" in classifier.segmenter_.history_


@pytest.fixture
def held_out(monkeypatch):
    """How many images each training held out."""
    counts = []
    train = network_estimator.train

    def counting(objective, batches, plan, validation=None, **options):
        found = [] if validation is None else [len(b["index"]) for b in validation.epoch(0)]
        counts.append(sum(found))
        return train(objective, batches, plan, validation, **options)

    monkeypatch.setattr(network_estimator, "train", counting)
    return counts


GIVEN = {
    "whole": (OTHERS.images, OTHERS.target, OTHERS.masks, Whole),
    "of another length": (X_VAL, Y_VAL, MASKS_VAL, lambda values: values),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("given", GIVEN)
def test_searches_do_not_cut_it(given, routing, held_out):
    """As many images as X, in a wrapper; or another number of them, as they are."""
    X_val, y_val, masks_val, wrap = GIVEN[given]
    more = {"X_val": wrap(X_val), "y_val": wrap(y_val), "masks_val": wrap(masks_val)}
    with sklearn.config_context(enable_metadata_routing=routing):
        classifier = whole(max_epochs=1)
        if routing:
            classifier.set_fit_request(masks=True, X_val=True, y_val=True, masks_val=True)
        search = GridSearchCV(classifier, {"negative_class": [0]}, cv=KFold(2), n_jobs=1)
        search.fit(X, Y, masks=MASKS, **more)
    assert held_out == [len(X_val)] * 3


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_within_hands_it_on(routing, held_out):
    with sklearn.config_context(enable_metadata_routing=routing):
        inner = segmenter(max_epochs=1)
        if routing:
            inner.set_fit_request(labels=True, X_val=True, y_val=True, labels_val=True)
        search = GridSearchCV(inner, {"learning_rate": [0.01]}, cv=KFold(2))
        classifier = SegmentationClassifier(segmenter=search)
        more = {"X_val": OTHERS.images, "y_val": OTHERS.target, "masks_val": OTHERS.masks}
        classifier.fit(X, Y, masks=MASKS, **more)
    assert held_out == [12] * 3


def test_meta_segmenters_hand_it_on(held_out):
    masks = [*MASKS[:8], *[None] * 4]
    given = {"X_val": X_VAL, "y_val": Whole(MASKS_VAL)}
    pseudo = PseudoLabelSemiSupervised(
        segmenter(max_epochs=1, monitor="iou"), labeler="thresholder", baseline=False
    )
    pseudo.fit(X, masks, **given)
    assert "validation_iou" in pseudo.history_
    distilled = DistilledSegmenter(segmenter(max_epochs=1, monitor="iou"))
    distilled.fit(X, masks, **given)
    assert "validation_iou" in distilled.teacher_.history_
    assert distilled.student_.monitor == "loss"
    assert held_out == [8] * 3


def test_memory_does_not_mistake_one_for_another(tmp_path, held_out):
    for X_val in (X_VAL, X_VAL, X_VAL[::-1], None):
        given = {} if X_val is None else {"y_val": Y_VAL, "masks_val": MASKS_VAL}
        whole(max_epochs=1).set_params(memory=tmp_path).fit(X, Y, masks=MASKS, X_val=X_val, **given)
    assert held_out == [8, 8, 0]  # the second was known


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X_val": X_VAL[..., :1]}, "In the validation set.*channel"),
        ({"X_val": X_VAL.astype(float) * 500}, "In the validation set"),
        ({"X_val": X_VAL[:5]}, "In the validation set"),
        ({"X_val": None}, "expected X_val="),
        ({"validation_fraction": 0.3}, "Both X_val and validation_fraction=0.3"),
    ],
)
def test_refused_of_all(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        fits(kind, **changes)


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.full(8, 7), r"In the validation set.*Label 7 of sample 0 is not one of the classes"),
        (None, "y_val is missing"),
        (np.zeros((8, 2), int), "y_val has shape"),
    ],
)
def test_refused_labels(kind, y_val, message):
    with pytest.raises(ValueError, match=message):
        fits(kind, y_val=y_val)


@pytest.mark.parametrize("kind", [SupervisedSegmenter, SegmentationClassifier, MultitaskClassifier])
@pytest.mark.parametrize(
    ("masks_val", "message"),
    [
        (MASKS_VAL * 3, "In the validation set.*have 4 ids.*have 2"),
        (MASKS_VAL[:, :8], "In the validation set.*Mask 0 has 8 x 16 pixels"),
        (MASKS_VAL - 2, "In the validation set"),
    ],
)
def test_refused_masks(kind, masks_val, message):
    with pytest.raises(ValueError, match=message):
        fits(kind, masks_val=masks_val)


class Foreign(FunctionTransformer):
    def fit(self, X, y=None):
        return super().fit(np.zeros((2, 2)))

    def predict_proba(self, X):
        return np.zeros((len(X), 2, 16, 16))


@pytest.mark.parametrize("kind", [Foreign(), make_pipeline(FunctionTransformer(), segmenter())])
def test_a_segmenter_that_would_not_see_it_is_refused(kind):
    classifier = SegmentationClassifier(segmenter=kind)
    with pytest.raises(ValueError, match="X_val was passed, but"):
        classifier.fit(X, Y, masks=MASKS, X_val=X_VAL, y_val=Y_VAL)


def test_nothing_labeled_is_refused():
    with pytest.raises(ValueError, match="none of the 8 images has a mask or a label"):
        segmenter().fit(X, MASKS, X_val=X_VAL, y_val=[None] * 8)


def test_an_ensemble_hands_it_to_each_of_its_segmenters(held_out):
    given = {"X_val": X_VAL, "y_val": MASKS_VAL}
    SegmenterEnsemble(segmenter(max_epochs=1), cv=2).fit(X, MASKS, **given)
    classifier = whole(max_epochs=1).set_params(cv=2, ensemble=True)
    classifier.fit(X, Y, masks=MASKS, X_val=X_VAL, y_val=Y_VAL, masks_val=MASKS_VAL)
    assert held_out == [8] * 4
