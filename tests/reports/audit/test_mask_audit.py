import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.reports import audit_masks
from segclf.reports.audit.contradictions import IMAGES_AT_ONCE


class PixelSegmenter(BaseEstimator):
    """Tells pixels apart by their color: learns in no time, and from masks that may be wrong."""

    multilabel_ = False

    def fit(self, X, y, labels=None):
        self.terms_ = PolynomialFeatures(2)
        pixels = self.terms_.fit_transform(np.concatenate([x.reshape(-1, 3) for x in X]) / 255)
        given = np.concatenate([np.ravel(mask) for mask in y])
        self.model_ = LogisticRegression(C=100, max_iter=300).fit(pixels, given)
        return self

    def predict_proba(self, X):
        assert len(X) <= IMAGES_AT_ONCE, "more maps at once than need be"
        n, height, width, _ = X.shape
        pixels = self.terms_.transform(X.reshape(-1, 3) / 255)
        maps = self.model_.predict_proba(pixels).reshape(n, height, width, -1)
        return maps.transpose(0, 3, 1, 2)

    def predict_proba_batches(self, X):
        for start in range(0, len(X), 8):
            chosen = np.arange(start, min(start + 8, len(X)))
            yield chosen, self.predict_proba(X[chosen])


@pytest.fixture(scope="module")
def shapes():
    radii = {f"{kind}_radius": 4 for kind in ("target", "spurious", "background")}
    return make_shapes(60, image_size=32, n_objects=4, **radii, random_state=0)


@pytest.fixture(scope="module")
def planted(shapes):
    """Masks and labels with errors, and which of them have which."""
    random = np.random.RandomState(1)
    positive = random.permutation(np.flatnonzero(shapes.target))
    negative = random.permutation(np.flatnonzero(shapes.target == 0))
    masks, labels = shapes.masks.copy(), shapes.target.copy()
    wrong = {
        "shifted": positive[:2],
        "emptied": positive[2:4],
        "swapped": positive[4:6],
        "invented": negative[:1],
    }
    for sample in wrong["shifted"]:
        masks[sample] = np.roll(masks[sample], (10, 10), (0, 1))
    masks[wrong["emptied"]] = 0
    masks[wrong["swapped"]] = masks[wrong["swapped"][::-1]]
    masks[wrong["invented"], 5:12, 5:12] = 1
    flipped = np.concatenate([positive[6:8], negative[1:3]])
    labels[flipped] = 1 - labels[flipped]
    return masks, labels, wrong, flipped


def precision(table, wrong):
    return np.isin(table["sample"][: len(wrong)], wrong).mean()


def test_planted_errors_come_first(shapes, planted):
    masks, labels, wrong, flipped = planted
    classifier = SegmentationClassifier(segmenter=PixelSegmenter())
    audit = audit_masks(classifier, shapes.images, labels, masks, cv=3, random_state=0)
    assert precision(audit.masks, np.concatenate(list(wrong.values()))) == 1
    assert precision(audit.labels, flipped) == 1
    of = dict(zip(audit.masks["sample"], audit.masks["suspicion"], strict=True))
    assert {of[sample] for sample in wrong["emptied"]} == {"missing"}
    assert {of[sample] for sample in wrong["invented"]} == {"extra"}
    assert {of[sample] for sample in wrong["shifted"]} == {"misplaced"}
    first = audit.labels[: len(flipped)]
    assert first["given"].tolist() == labels[first["sample"]].tolist()
    assert first["expected"].tolist() == shapes.target[first["sample"]].tolist()


def test_a_network_finds_them_too(shapes, planted):
    masks, _, wrong, _ = planted
    settings = {"encoder": "tiny", "max_epochs": 12, "learning_rate": 1e-2, "random_state": 0}
    audit = audit_masks(
        SupervisedSegmenter(**settings), shapes.images, None, masks, cv=2, random_state=0
    )
    bad = np.concatenate(list(wrong.values()))
    assert len(audit.labels) == 0
    assert precision(audit.masks, bad) >= 0.7  # of 60 images, 7 are wrong: chance is .12


def test_clean_data_raise_no_suspicion(shapes):
    audit = audit_masks(PixelSegmenter(), shapes.images, None, shapes.masks, cv=3, random_state=0)
    assert audit.masks["score"].max() < 0.1


def test_every_labeled_answer_is_audited_once_in_order(shapes, planted):
    masks, labels = [*planted[0]], planted[1].copy()
    masks[3], labels[4] = None, -1
    masks[5], labels[5] = None, -1  # unlabeled: it may train, and is not judged
    audit = audit_masks(MaskDummy(), shapes.images, labels, masks, cv=3, random_state=0)
    everyone = set(range(60))
    assert set(audit.masks["sample"]) == everyone - {3, 5}
    assert set(audit.labels["sample"]) == everyone - {4, 5}
    assert len(audit.masks) == len(audit.labels) == 58
    for table in (audit.masks, audit.labels):
        assert (np.diff(table["score"]) <= 0).all()
        assert set(table["fold"]) == {0, 1, 2}


class MaskDummy(DummyClassifier):
    """Answers by prevalence, and predicts no masks."""

    def fit(self, X, y, masks=None):
        labeled = np.asarray(y).reshape(len(y), -1).min(axis=1) >= 0
        return super().fit(X[labeled], np.asarray(y)[labeled])

    def predict_mask_proba(self, X):
        maps = np.zeros((len(X), 2, *X.shape[1:3]))
        maps[:, 0] = 1
        return maps


def test_indicators_and_multi_label_masks():
    truth = np.tile([[1, 0], [0, 1], [1, 1], [0, 0]], (6, 1))
    squares = truth[:, :, None, None] * np.ones((1, 1, 4, 4), dtype=int)
    X = np.stack([*squares.transpose(1, 0, 2, 3)], axis=-1).astype(float)
    labels, masks = truth.copy(), squares.copy()
    labels[6, 1], masks[9, 0, :2] = 0, 1 - masks[9, 0, :2]
    audit = audit_masks(Copier(), X, labels, masks, cv=2, random_state=0)
    assert len(audit.labels) == 48
    sample, label, _, score, given, expected = audit.labels[0].tolist()
    assert (sample, label, score, given, expected) == (6, 1, 1, 0, 1)
    assert audit.labels["score"][1] == 0
    assert audit.masks["sample"][0] == 9
    assert audit.masks["score"][1] == 0


class Copier(MaskDummy):
    """Sees each label as a channel of the image."""

    def fit(self, X, y, masks=None):
        self.classes_ = np.arange(y.shape[1])
        return self

    def predict_proba(self, X):
        return X[:, 0, 0, :]

    def predict_mask_proba(self, X):
        return X.transpose(0, 3, 1, 2)


def test_groups_are_held_out_together_and_handed_on(shapes):
    groups = np.arange(60) // 4
    audit = audit_masks(
        PixelSegmenter(), shapes.images, None, shapes.masks, cv=3, groups=groups, random_state=0
    )
    folds = audit.masks["fold"][np.argsort(audit.masks["sample"])].reshape(-1, 4)
    assert (folds == folds[:, :1]).all()


def test_it_reads_plainly_and_is_json(shapes, planted):
    masks, labels, _, flipped = planted
    classifier = SegmentationClassifier(segmenter=PixelSegmenter())
    audit = audit_masks(classifier, shapes.images, labels, masks, cv=2, random_state=0)
    assert f"{audit.masks['sample'][0]}  {audit.masks['score'][0]:.2f}" in str(audit)
    rows = json.loads(json.dumps(audit.to_dict()))
    assert rows["labels"][0]["sample"] in flipped
    assert set(rows["masks"][0]) == set(audit.masks.dtype.names)


def test_who_can_be_asked(shapes):
    given = (shapes.images, shapes.target, shapes.masks)
    with pytest.raises(ValueError, match="predicts no masks"):
        audit_masks(DummyClassifier(), *given)
    with pytest.raises(ValueError, match="A segmenter predicts no labels"):
        audit_masks(PixelSegmenter(), *given)
