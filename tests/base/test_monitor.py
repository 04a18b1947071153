"""Which epoch's weights are kept, and what tells that it is the best."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    OtsuPretrainer,
    PiCIESegmenter,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.base import network_estimator
from segclf.base.monitor import one_hot, truth_of_masks
from segclf.base.split import split_validation
from segclf.data import Samples, as_images, as_masks
from segclf.datasets import make_shapes
from segclf.metrics.mean_auroc import mean_auroc
from segclf.registry import make_plugin

SHAPES = make_shapes(16, image_size=16, n_objects=2, target_radius=4, random_state=0)
FEW = {
    "encoder": "tiny",
    "random_state": 0,
    "max_epochs": 4,
    "learning_rate": 0.01,
    "batch_size": 3,
    "optimizer": "adam",
    "schedule": "constant",
    "weight_decay": 0,
}
TWO = np.where(np.arange(16)[:, None, None] % 3 == 2, 2 * SHAPES.masks, SHAPES.masks)


@pytest.fixture
def held_out(monkeypatch):
    """The numbers of the images that a fit held out."""
    numbers = []

    def split(samples, *args, **kwargs):
        index = Samples(images=samples.images, targets=np.arange(len(samples)))
        parts = split_validation(samples, *args, **kwargs)
        if parts[1] is not None:
            pixels = index.pixels().reshape(len(index), -1)
            part = parts[1].pixels().reshape(len(parts[1]), -1)
            numbers[:] = [int((pixels == row).all(1).nonzero()[0, 0]) for row in part]
        return parts

    monkeypatch.setattr(network_estimator, "split_validation", split)
    return numbers


def segmenter(**changes):
    few = {**FEW, "validation_fraction": 0.4, "class_weight": "balanced"}
    return SupervisedSegmenter(**{**few, **changes})


def classifier(**changes):
    return ImageClassifier(**{**FEW, "validation_fraction": 0.4, **changes})


def best(fitted, monitor):
    """The column of a metric; training that ends with its best epoch is the same so far."""
    column = fitted.history_[f"validation_{monitor}"]
    return column, int(np.argmax(column)) + 1


def same_weights(one, other):
    states = one.network_.state_dict(), other.network_.state_dict()
    return all(np.array_equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("masks", [SHAPES.masks, TWO, (SHAPES.masks == 1)[:, None].astype(int)])
def test_iou_is_the_score_of_what_was_held_out(masks, held_out):
    fitted = segmenter(monitor="iou").fit(SHAPES.images, masks)
    column, _ = best(fitted, "iou")
    assert column.max() == pytest.approx(fitted.score(SHAPES.images[held_out], masks[held_out]))
    assert masks.ndim == 4 or np.ptp(column) > 0


def test_the_best_epoch_is_kept_and_training_goes_on():
    fitted = segmenter(monitor="iou").fit(SHAPES.images, SHAPES.masks)
    column, n_epochs = best(fitted, "iou")
    assert fitted.n_iter_ == len(column) == 4
    alone = segmenter(max_epochs=n_epochs).fit(SHAPES.images, SHAPES.masks)
    assert same_weights(fitted, alone)
    assert n_epochs < 4  # else it would be the last one that is kept


def test_patience_counts_epochs_without_a_higher_metric():
    fitted = segmenter(monitor="iou", learning_rate=1e-30, max_epochs=60, n_iter_no_change=2)
    fitted.fit(SHAPES.images, SHAPES.masks)
    assert (fitted.n_iter_, fitted.termination_condition_) == (3, "n_iter_no_change")


def test_the_loss_keeps_the_best_epoch_without_stopping():
    fitted = classifier(monitor="loss").fit(SHAPES.images, SHAPES.target)
    column = fitted.history_["validation_loss"]
    n_epochs = int(np.argmin(column)) + 1
    assert n_epochs < len(column) == 4
    alone = classifier(max_epochs=n_epochs).fit(SHAPES.images, SHAPES.target)
    assert same_weights(fitted, alone)


@pytest.mark.parametrize("monitor", ["auroc", "balanced_accuracy"])
@pytest.mark.parametrize("kind", ["two", "three", "indicator"])
def test_labels_of_a_classifier(monitor, kind, held_out):
    target = {
        "two": np.where(SHAPES.target == 1, "ill", "well"),
        "three": np.arange(16) % 3,
        "indicator": np.column_stack([SHAPES.target, np.arange(16) % 2]),
    }[kind]
    fitted = classifier(monitor=monitor).fit(SHAPES.images, target)
    column, _ = best(fitted, monitor)
    X, truth = SHAPES.images[held_out], target[held_out]
    if monitor == "auroc":
        indicator = truth if kind == "indicator" else (truth[:, None] == fitted.classes_) * 1
        expected = mean_auroc(indicator, fitted.predict_proba(X))
    elif kind == "indicator":
        expected = np.mean([*map(balanced_accuracy_score, truth.T, fitted.predict(X).T)])
    else:
        expected = balanced_accuracy_score(truth, fitted.predict(X))
    assert column.max() == pytest.approx(expected)


def test_labels_of_two_heads(held_out):
    fitted = MultitaskClassifier(**FEW, validation_fraction=0.4, monitor="auroc")
    fitted.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    scores = fitted.predict_proba(SHAPES.images[held_out])[:, 1]
    column, _ = best(fitted, "auroc")
    assert column.max() == pytest.approx(roc_auc_score(SHAPES.target[held_out], scores))


@pytest.mark.parametrize("monitor", ["auroc", "balanced_accuracy"])
@pytest.mark.parametrize("masks", [SHAPES.masks, TWO], ids=["two", "three"])
@pytest.mark.parametrize("labeled", [True, False])
def test_labels_of_a_segmenter_are_those_of_a_summarizer(monitor, masks, labeled, held_out):
    labels = masks.max(axis=(1, 2))
    fitted = segmenter(monitor=monitor)
    fitted.fit(SHAPES.images, masks, labels=labels if labeled else None)
    maps, truth = fitted.predict_proba(SHAPES.images[held_out])[:, 1:], labels[held_out]
    summarizer = make_plugin("summarizer", "threshold").set_params(pooling="top_mean")
    summarizer.fit(np.zeros((labels.max() + 1, *maps.shape[1:])), np.unique(labels))
    if monitor == "auroc":
        expected = mean_auroc(one_hot(truth, labels.max() + 1), summarizer.predict_proba(maps))
    else:
        expected = balanced_accuracy_score(truth, summarizer.predict(maps))
    column, _ = best(fitted, monitor)
    assert column.max() == pytest.approx(expected)


def test_labels_of_multilabel_masks(held_out):
    masks = np.stack([SHAPES.masks == 1, np.roll(SHAPES.masks == 1, 1, axis=0)], axis=1).astype(int)
    fitted = segmenter(monitor="auroc").fit(SHAPES.images, masks)
    maps = fitted.predict_proba(SHAPES.images[held_out])
    summarizer = make_plugin("summarizer", "threshold").set_params(pooling="top_mean")
    scores = summarizer.fit(maps[:2], np.eye(2, dtype=int)).predict_proba(maps)
    column, _ = best(fitted, "auroc")
    truth = masks[held_out].max(axis=(2, 3))
    assert column.max() == pytest.approx(mean_auroc(truth, scores))


def samples(masks, labels=None):
    images = as_images(np.zeros((len(masks), 2, 2)))
    masks = as_masks(masks, len(masks))
    return Samples(images=images, masks=masks, labels=labels, dense=True)


def test_a_label_goes_before_a_mask_and_unknown_stays_unknown():
    masks = [np.zeros((2, 2), int), np.full((2, 2), 2), None, None]
    truth = truth_of_masks(samples(masks, np.array([-1, -1, 1, -1])), 4)
    # Id 2, which no label names, is context where there are labels.
    assert truth.indicator.tolist() == [[1, 0], [1, 0], [0, 1], [-1, -1]]
    assert truth_of_masks(samples(masks), 3).indicator.tolist() == [
        [1, 0, 0],
        [0, 0, 1],
        [-1, -1, -1],
        [-1, -1, -1],
    ]


def test_masks_that_show_several_ids_exclude_no_label():
    truth = truth_of_masks(samples([np.array([[1, 2], [0, 0]]), np.zeros((2, 2), int)]), 3)
    assert (truth.indicator.tolist(), truth.exclusive) == ([[1, 1], [0, 0]], False)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (segmenter(monitor="iou", validation_fraction=0), "Set validation_fraction="),
        (classifier(monitor="auroc", validation_fraction=0), "Set validation_fraction="),
        (classifier(monitor="iou"), "expected one of 'loss', 'auroc', 'balanced_accuracy'"),
        (PiCIESegmenter(encoder="tiny", monitor="iou"), "expected one of 'loss', or None"),
        (OtsuPretrainer(encoder="tiny", monitor="auroc"), "expected one of 'loss', or None"),
        (segmenter(monitor="dice"), "must be a str among"),
    ],
)
def test_refused(estimator, message):
    y = SHAPES.target if isinstance(estimator, ImageClassifier) else SHAPES.masks
    with pytest.raises(ValueError, match=message):
        estimator.fit(SHAPES.images, y)


@pytest.mark.parametrize(
    ("monitor", "message"), [("iou", "masks that show something"), ("auroc", "two classes")]
)
def test_refused_where_there_is_nothing_to_measure(monitor, message):
    masks = np.zeros_like(SHAPES.masks)
    with pytest.raises(ValueError, match=message):
        segmenter(monitor=monitor).fit(SHAPES.images, masks)


def test_through_a_classifier_of_masks():
    whole = SegmentationClassifier(segmenter=segmenter(monitor="auroc"), random_state=0)
    whole.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert len(whole.segmenter_.history_["validation_auroc"]) == 4


def test_averaged_weights_are_what_is_measured_and_kept(held_out):
    fitted = segmenter(monitor="iou", average_weights=0.9).fit(SHAPES.images, SHAPES.masks)
    plain = segmenter(monitor="iou").fit(SHAPES.images, SHAPES.masks)
    column, _ = best(fitted, "iou")
    assert not np.array_equal(column, best(plain, "iou")[0])
    score = fitted.score(SHAPES.images[held_out], SHAPES.masks[held_out])
    assert column.max() == pytest.approx(score)
