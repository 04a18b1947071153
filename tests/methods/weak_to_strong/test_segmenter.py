import numpy as np
import pytest
import torch

from segclf import SegmentationClassifier, WeakToStrongSegmenter
from segclf.base import supervise
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
FEW = [*SHAPES.masks[:4], *[None] * 8]
SMALL = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}


def sampler_of(segmenter, masks, labels=None):
    images = segmenter._open(SHAPES.images)
    supervision = supervise(SHAPES.images, images=images, masks=masks, labels=labels)
    segmenter._choose(supervision)
    return segmenter._make_sampler(segmenter._check_targets(supervision))


@pytest.mark.parametrize(("n_labeled", "share"), [(None, 5), (2, 2), (10, 10)])
def test_half_of_each_batch_has_masks(n_labeled, share):
    segmenter = WeakToStrongSegmenter(encoder="tiny", batch_size=10, n_labeled=n_labeled)
    for indices in sampler_of(segmenter, FEW).batches(10, seed=0, epoch=0):
        assert (indices < 4).sum() == share


def test_more_images_with_masks_than_a_batch_holds():
    segmenter = WeakToStrongSegmenter(encoder="tiny", batch_size=4, n_labeled=5)
    with pytest.raises(ValueError, match="n_labeled=5 is more than batch_size=4"):
        segmenter.fit(SHAPES.images, FEW)


def test_images_labeled_negative_have_masks_and_rare_findings_come_more_often():
    labels = np.array([1] + [0] * 9 + [1, -1])
    masks = [SHAPES.masks[np.argmax(SHAPES.target)], *[None] * 11]
    sampler = sampler_of(WeakToStrongSegmenter(encoder="tiny"), masks, labels)
    assert np.flatnonzero(~sampler.labeled).tolist() == [10, 11]
    assert sampler.mixing.expert.tolist() == [True] + [False] * 11
    assert sampler.mixing.probability == 0.5
    as_they_come = WeakToStrongSegmenter(encoder="tiny", positive_fraction=0.0)
    assert sampler_of(as_they_come, masks, labels).mixing is None


def test_all_labeled_is_supervised_learning():
    segmenter = WeakToStrongSegmenter(**SMALL).fit(SHAPES.images, SHAPES.masks)
    assert (segmenter.history_["consistency"] == 0).all()


@pytest.mark.parametrize("encoder_rate", [0, 0.5])
@pytest.mark.parametrize(
    "setting",
    [
        {"confidence": 1.0},
        {"cutmix": 1.0},
        {"feature_dropout": 1.0},
        {"momentum": 0.0},
        {"loss": "cross_entropy"},
        {"consistency_weight": 0.0},
        {"augmentation": "flips"},
    ],
    ids=str,
)
def test_every_setting_changes_what_is_learned(encoder_rate, setting):
    base = {"encoder_rate": encoder_rate, "confidence": 0.6, **SMALL}
    one, other = (
        WeakToStrongSegmenter(**{**base, **more})
        .fit(SHAPES.images, FEW)
        .predict_proba(SHAPES.images)
        for more in ({}, setting)
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("encoder_rate", "setting", "matters"),
    [
        (0, {"feature_noise": 1.0}, True),
        (1, {"feature_noise": 1.0}, False),
        (0, {"photometric": "light"}, False),
        (1, {"photometric": lambda image: -image}, True),
    ],
)
def test_noise_is_of_maps_and_colors_are_of_images(encoder_rate, setting, matters):
    base = {"encoder_rate": encoder_rate, "confidence": 0.5, **SMALL}
    one, other = (
        WeakToStrongSegmenter(**{**base, **more})
        .fit(SHAPES.images, FEW)
        .predict_proba(SHAPES.images)
        for more in ({}, setting)
    )
    assert np.array_equal(one, other) != matters


def test_unlabeled_images_teach_agreement():
    """With the term the student's strong views agree more with the teacher than without."""
    surprise = {}
    for weight in (0.0, 3.0):
        segmenter = WeakToStrongSegmenter(
            **{**SMALL, "max_epochs": 15},
            encoder_rate=0,
            confidence=0.0,
            loss="cross_entropy",
            consistency_weight=weight,
        ).fit(SHAPES.images, FEW)
        probabilities = segmenter.predict_proba(SHAPES.images[4:])
        surprise[weight] = -np.log(probabilities.max(axis=1)).mean()
    assert surprise[3.0] < 0.9 * surprise[0.0]


def test_a_frozen_encoder_sees_each_image_once(monkeypatch):
    from segclf.networks import TinyEncoder

    seen, forward = [], TinyEncoder.forward

    def counted(self, image):
        if torch.is_grad_enabled():  # in training
            seen.append(len(image))
        return forward(self, image)

    monkeypatch.setattr(TinyEncoder, "forward", counted)
    WeakToStrongSegmenter(encoder_rate=0, augmentation="flips", **SMALL).fit(SHAPES.images, FEW)
    assert sum(seen) == 12


def test_an_encoder_that_starts_later():
    segmenter = WeakToStrongSegmenter(
        encoder_rate=0.5, encoder_start=0.5, augmentation="flips", **SMALL
    ).fit(SHAPES.images, FEW)
    plain = WeakToStrongSegmenter(encoder_rate=0.5, **SMALL).fit(SHAPES.images, FEW)
    assert np.isfinite(segmenter.predict_proba(SHAPES.images)).all()
    assert not np.array_equal(
        segmenter.predict_proba(SHAPES.images), plain.predict_proba(SHAPES.images)
    )


def test_a_transformer():
    segmenter = WeakToStrongSegmenter(
        architecture="vit_unet", confidence=0.5, encoder_rate=0, **{**SMALL, "encoder": "tiny_vit"}
    ).fit(SHAPES.images, FEW)
    assert np.isfinite(segmenter.history_["consistency"]).all()
    assert segmenter.history_["consistency"][0] > 0


def test_inside_of_a_classifier():
    inner = WeakToStrongSegmenter(confidence=0.5, **SMALL)
    classifier = SegmentationClassifier(segmenter=inner).fit(
        SHAPES.images, SHAPES.target, masks=FEW
    )
    assert classifier.predict_proba(SHAPES.images).shape == (12, 2)
