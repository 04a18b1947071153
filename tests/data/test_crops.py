import math

import numpy as np
import pytest
import torch

from segclf import DistilledSegmenter, SegmentationClassifier, SupervisedSegmenter
from segclf.data import Augmentation, Loader, RandomCrops, Samples, as_images, as_masks

RANDOM = np.random.default_rng(0)
# Each pixel tells its place, so that a crop tells where it was cut.
PLACES = np.stack(np.meshgrid(np.arange(40), np.arange(48), indexing="ij"), axis=-1)
IMAGES = np.tile(PLACES[None].astype(np.float32), (12, 1, 1, 1))
MASKS = np.zeros((12, 40, 48), dtype=int)
for _mask in MASKS[:8]:
    _row, _column = RANDOM.integers((38, 46))
    _mask[_row : _row + 2, _column : _column + 2] = RANDOM.integers(1, 3)
NOISE = RANDOM.random((8, 32, 32, 3), dtype=np.float32)
TINY = {"encoder": "tiny", "max_epochs": 2, "batch_size": 4, "random_state": 0}


def loader(
    masks=MASKS, labels=None, *, seed=0, batch_size=12, finding_fraction=0.5, size=(9, 7), **more
):
    samples = Samples(images=as_images(IMAGES), dense=True, labels=labels)
    samples.masks = as_masks(masks, 12)
    samples.n_mask_channels = samples.masks.n_classes if samples.masks.multilabel else None
    crops = RandomCrops(size=size, finding_fraction=finding_fraction)
    return Loader(samples, batch_size=batch_size, seed=seed, crops=crops, **more)


def n_shown(batch):
    return int((batch["mask"] > 0).reshape(len(batch["mask"]), -1).any(dim=1).sum())


@pytest.mark.parametrize("masks", [MASKS, np.stack([MASKS == 1, MASKS == 2], axis=1).astype(int)])
def test_mask_and_image_are_cut_alike(masks):
    for batch in loader(masks, batch_size=5).epoch(3):
        assert batch["image"].shape[2:] == batch["mask"].shape[-2:] == (9, 7)
        for index, image, mask in zip(batch["index"], batch["image"], batch["mask"], strict=True):
            rows, columns = image.long()
            top, left = int(rows[0, 0]), int(columns[0, 0])
            assert (rows == top + torch.arange(9)[:, None]).all()
            assert (columns == left + torch.arange(7)).all()
            expected = masks[int(index)][..., top : top + 9, left : left + 7]
            np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("fraction", [0.0, 0.33, 0.5, 1.0])
def test_so_many_crops_of_each_batch_show_a_finding(fraction):
    """8 of 12 images have one, of some 4 pixels in 1920; by chance few crops show it."""
    shown = [
        n_shown(b) for epoch in range(20) for b in loader(finding_fraction=fraction).epoch(epoch)
    ]
    least = min(8, math.ceil(12 * fraction))
    assert min(shown) >= least
    assert np.mean(shown) < least + 2
    small = list(loader(finding_fraction=fraction, batch_size=4).epoch(0))
    for batch in small:
        there = int((MASKS[batch["index"]] > 0).any(axis=(1, 2)).sum())
        assert n_shown(batch) >= min(there, math.ceil(4 * fraction))


def test_every_finding_and_every_place_of_it_comes():
    """Ids alike, however large; their pixels anywhere in the crop; every image in its turn."""
    mask = np.zeros((12, 40, 48), dtype=int)
    mask[:, 5:25, 5:25], mask[:, 35, 40] = 1, 2
    ids, places, images = [], set(), set()
    for epoch in range(30):
        (batch,) = loader(mask, finding_fraction=0.25).epoch(epoch)
        of_two = (batch["mask"] == 2).reshape(12, -1)
        ids.append(int(of_two.any(dim=1).sum()))
        places |= set(of_two.nonzero()[:, 1].tolist())
        images |= set(batch["index"][of_two.any(dim=1)].tolist())
    assert 1.0 < np.mean(ids) < 2.5  # half of 3, and some by chance
    assert len(places) > 20
    assert images == set(range(12))


def test_crops_are_a_function_of_seed_and_epoch():
    def places(seed, epoch, **more):
        return [
            batch["image"][:, :, 0, 0].tolist() for batch in loader(seed=seed, **more).epoch(epoch)
        ]

    assert places(1, 2) == places(1, 2)
    assert places(1, 2) != places(1, 3)
    assert places(1, 2) != places(2, 2)
    moved = Augmentation(horizontal_flip=1.0)
    flipped = [
        b["image"][:, :, 0, -1].tolist() for b in loader(seed=1, augmentation=moved).epoch(2)
    ]
    assert flipped == places(1, 2)


def test_images_smaller_than_the_crop_are_whole():
    (batch,) = loader(size=(100, 7)).epoch(0)
    assert batch["image"].shape == (12, 2, 40, 7)
    labels = np.ones(12, dtype=int)
    (batch,) = loader([None] * 12, labels, size=(100, 100)).epoch(0)
    assert batch["image"].shape == (12, 2, 40, 48)
    assert (batch["label"] == 1).all()


def test_labels_of_whole_images_do_not_hold_for_parts():
    labels = np.array([0, 1, -1, 2] * 3)
    (batch,) = loader([None] * 12, labels).epoch(0)
    expected = np.where(labels > 0, -1, labels)[batch["index"]]
    np.testing.assert_array_equal(batch["label"], expected)


def test_no_crops_are_the_same_bits_as_before():
    samples = Samples(images=as_images(IMAGES), dense=True, masks=as_masks(MASKS, 12))
    flips = Augmentation(horizontal_flip=0.5)
    plain = list(Loader(samples, batch_size=5, seed=0, augmentation=flips).epoch(0))
    whole = list(loader(size=(40, 48), batch_size=5, augmentation=flips).epoch(0))
    for one, other in zip(plain, whole, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def sizes(monkeypatch):
    """What the network of a segmenter is trained on."""
    seen = []
    learn = SupervisedSegmenter._loaders

    def watched(self, *args):
        batches, held_out = learn(self, *args)
        seen.append({tuple(batch["image"].shape[2:]) for batch in batches.epoch(0)})
        return batches, held_out

    monkeypatch.setattr(SupervisedSegmenter, "_loaders", watched)
    return seen


def test_segmenters_train_on_crops_and_predict_whole_images(sizes):
    masks = (NOISE[..., 0] > 0.9).astype(int)
    plain = SupervisedSegmenter(**TINY).fit(NOISE, masks)
    segmenter = SupervisedSegmenter(**TINY, crop_size=(16, 24), finding_fraction=1.0)
    segmenter.fit(NOISE, masks)
    again = SupervisedSegmenter(**segmenter.get_params()).fit(NOISE, masks)
    assert sizes == [{(32, 32)}, {(16, 24)}, {(16, 24)}]
    assert segmenter.predict(NOISE).shape == (8, 32, 32)
    np.testing.assert_array_equal(segmenter.predict_proba(NOISE), again.predict_proba(NOISE))
    assert not np.array_equal(segmenter.predict_proba(NOISE), plain.predict_proba(NOISE))


def test_crops_are_cut_at_the_size_that_images_are_brought_to(sizes):
    images = [*NOISE[:4], *NOISE[4:, :20]]
    masks = [(image[..., 0] > 0.9).astype(int) for image in images]
    segmenter = SupervisedSegmenter(**TINY, crop_size=16, image_size=24).fit(images, masks)
    assert sizes == [{(16, 16)}]
    assert [mask.shape for mask in segmenter.predict(images)[3:5]] == [(32, 32), (20, 32)]


def test_a_frozen_encoder_keeps_no_maps_of_crops(monkeypatch):
    kept = []
    monkeypatch.setattr("segclf.base.fine_tuned.remember_features", lambda *a, **k: kept.append(a))
    masks = (NOISE[..., 0] > 0.9).astype(int)
    frozen = {**TINY, "encoder_rate": 0, "augmentation": "flips"}
    SupervisedSegmenter(**frozen).fit(NOISE, masks)
    assert len(kept) == 1
    segmenter = SupervisedSegmenter(**frozen, crop_size=16).fit(NOISE, masks)
    assert len(kept) == 1
    assert segmenter._augmentation(segmenter._make_objective(_samples(masks))) is not None


def _samples(masks):
    return Samples(images=as_images(NOISE), dense=True, masks=as_masks(masks, 8))


def test_classifiers_and_students_of_such_segmenters(sizes):
    labels = np.arange(8) % 2
    masks = (NOISE[..., 0] > 0.9) * labels[:, None, None]
    segmenter = SupervisedSegmenter(**TINY, crop_size=16)
    SegmentationClassifier(segmenter=segmenter).fit(NOISE, labels, masks=masks)
    DistilledSegmenter(segmenter, on="all").fit(NOISE, masks)
    assert sizes == [{(16, 16)}] * 3


@pytest.mark.parametrize("size", [0, (16, 0), (16, 16, 3)])
def test_sizes_that_are_none_are_refused(size):
    with pytest.raises(ValueError, match="crop_size"):
        SupervisedSegmenter(**TINY, crop_size=size).fit(NOISE, (NOISE[..., 0] > 0.9).astype(int))


def test_crops_need_masks():
    with pytest.raises(ValueError, match=r"none of the 8 images has a mask\. Pass masks"):
        SupervisedSegmenter(**TINY, crop_size=16).fit(NOISE, labels=np.arange(8) % 2)
