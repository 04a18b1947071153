import warnings

import numpy as np
import pytest
from sklearn.base import clone

import segclf
from segclf import ConsistencySegmenter, CrossTeachingSegmenter, SupervisedSegmenter
from segclf.base import LabelTermSegmenter, ShortcutWarning
from segclf.datasets import make_shapes

SMALL = {"max_epochs": 1, "batch_size": 8, "random_state": 0}
SEGMENTERS = [
    SupervisedSegmenter(encoder="tiny", **SMALL),
    ConsistencySegmenter(encoder="tiny", **SMALL),
    CrossTeachingSegmenter(
        cnn="tiny", transformer="tiny_vit", transformer_architecture="vit_unet", **SMALL
    ),
]


@pytest.fixture(scope="module")
def shapes():
    """Twelve images, six positive ones first."""
    drawn = make_shapes(24, image_size=32, n_objects=3, random_state=0)
    order = np.argsort(-drawn.target, kind="stable")
    rows = np.concatenate([order[:6], order[-6:]])
    return drawn.images[rows], drawn.masks[rows].astype(int), np.repeat([1, 0], 6)


def masks_of(masks, *rows):
    return [mask if row in rows else None for row, mask in enumerate(masks)]


def has_term(segmenter):
    return any(name.endswith("label") for name in segmenter.history_)


@pytest.mark.parametrize("segmenter", SEGMENTERS, ids=lambda s: type(s).__name__)
def test_one_mask_of_a_finding_turns_the_term_off(segmenter, shapes):
    X, masks, y = shapes
    assert isinstance(segmenter, LabelTermSegmenter)
    auto = clone(segmenter).fit(X, masks_of(masks, 0), labels=y)
    assert auto.label_weight_ == 0
    assert not has_term(auto)
    alone = segmenter.fit(X, None, labels=y)
    assert alone.label_weight_ == 1
    assert has_term(alone)


def test_an_empty_mask_is_not_one_of_a_finding(shapes):
    X, masks, y = shapes
    assert SEGMENTERS[0].fit(X, masks_of(masks, 8), labels=y).label_weight_ == 1


def test_off_images_of_a_label_alone_are_as_if_they_were_not_there(shapes):
    X, masks, y = shapes
    kept = np.array([0, 1, *range(6, 12)])
    some = masks_of(masks, 0, 1)
    segmenter = SupervisedSegmenter(encoder="tiny", **SMALL | {"max_epochs": 2})
    whole = segmenter.fit(X, some, labels=y).predict_proba(X)
    assert segmenter.n_steps_ == 2
    part = segmenter.fit(X[kept], [some[k] for k in kept], labels=y[kept]).predict_proba(X)
    np.testing.assert_array_equal(whole, part)


def test_without_any_mask_auto_is_one(shapes):
    X, _, y = shapes
    auto, one = (
        SupervisedSegmenter(encoder="tiny", label_weight=w, **SMALL).fit(X, None, labels=y)
        for w in ("auto", 1.0)
    )
    np.testing.assert_array_equal(auto.predict_proba(X), one.predict_proba(X))


def test_only_the_ids_that_no_mask_shows_learn_from_labels(shapes):
    X, masks, y = shapes
    labels = np.where(np.arange(12) < 3, 2, y)  # no mask shows id 2
    segmenter = SupervisedSegmenter(encoder="tiny", **SMALL)
    samples = []
    segmenter._make_sampler = samples.append
    segmenter.fit(X, masks_of(masks, 3), labels=labels)
    assert segmenter.label_weight_ == 1
    assert samples[0].label_ids.tolist() == [False, False, True]
    assert samples[0].labeled().tolist() == [True] * 4 + [False] * 2 + [True] * 6


def test_a_validation_set_is_measured_by_what_trains(shapes):
    X, masks, y = shapes
    one = SupervisedSegmenter(encoder="tiny", **SMALL)
    terms = [
        one.fit(X, few, labels=y, X_val=X, y_val=masks_of(masks, 0), labels_val=y).history_
        for few in (masks_of(masks, 0, 1), masks_of(masks, 7))
    ]
    assert [any(name.endswith("label") for name in each) for each in terms] == [False, True]
    masked = one.fit(X, masks_of(masks, 0, 1), labels=y, X_val=X[:1], y_val=masks[:1]).history_
    both = {"X_val": X[:2], "y_val": masks_of(masks, 0)[:2], "labels_val": y[:2]}
    alone = one.fit(X, masks_of(masks, 0, 1), labels=y, **both).history_
    np.testing.assert_allclose(alone["validation_loss"], masked["validation_loss"], rtol=1e-5)


def test_channels_are_told_apart(shapes):
    X, masks, y = shapes
    both = np.stack([masks, 1 - masks], axis=1)
    labels = np.stack([y, np.ones(12, dtype=int)], axis=1)
    segmenter = SupervisedSegmenter(encoder="tiny", **SMALL)
    assert segmenter.fit(X, masks_of(both, 0), labels=labels).label_weight_ == 0
    hidden = both.copy()
    hidden[:, 1] = -1
    assert segmenter.fit(X, masks_of(hidden, 0), labels=labels).label_weight_ == 1


def test_more_labels_than_masks_of_findings_warn_of_shortcuts(shapes):
    X, masks, y = shapes
    segmenter = SupervisedSegmenter(encoder="tiny", label_weight=0.1, **SMALL)
    with pytest.warns(
        ShortcutWarning, match=r"4 positive images have a label but no mask, and only 2"
    ):
        segmenter.fit(X, masks_of(masks, 0, 1), labels=y)
    assert segmenter.label_weight_ == 0.1
    assert has_term(segmenter)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShortcutWarning)
        segmenter.fit(X, masks_of(masks, 0, 1, 2), labels=y)
        segmenter.fit(X, None, labels=y)
        segmenter.set_params(label_weight=0).fit(X, masks_of(masks, 0), labels=y)


def test_nothing_left_to_learn_from_says_why(shapes):
    X, _, y = shapes
    with pytest.raises(ValueError, match="label_weight=0 ignores labels"):
        SupervisedSegmenter(encoder="tiny", label_weight=0, **SMALL).fit(X[:6], None, labels=y[:6])


def test_the_weight_is_saved(shapes, tmp_path):
    X, masks, y = shapes
    fitted = SupervisedSegmenter(encoder="tiny", **SMALL).fit(X, masks_of(masks, 0), labels=y)
    segclf.save(fitted, tmp_path / "fitted.segclf")
    again = segclf.load(tmp_path / "fitted.segclf")
    assert (again.label_weight, again.label_weight_) == ("auto", 0)
