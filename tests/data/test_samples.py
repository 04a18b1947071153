import numpy as np
import torch

from segclf.data import Samples, as_images, as_masks


def images(n, size=(4, 6)):
    return as_images(np.arange(n * size[0] * size[1], dtype=np.float32).reshape(n, *size))


def test_images_become_tensors_with_channels_first():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
    batch = Samples(images=as_images(pixels)).batch(np.array([2, 0]))
    assert batch.keys() == {"index", "image"}
    expected = pixels[[2, 0]].transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_allclose(batch["image"].numpy(), expected, rtol=1e-6)


def test_a_label_of_nothing_is_an_empty_mask_and_of_something_no_mask():
    samples = Samples(images=images(3), labels=np.array([0, 2, -1]), dense=True)
    mask = samples.batch(np.arange(3))["mask"]
    assert mask.shape == (3, 4, 6)
    assert mask.dtype == torch.int64
    assert mask.flatten(1).unique(dim=1).squeeze(1).tolist() == [0, -1, -1]


def test_a_multilabel_label_says_what_is_absent():
    labels = np.array([[0, 1], [-1, 0]])
    samples = Samples(images=images(2), labels=labels, n_mask_channels=2, dense=True)
    mask = samples.batch(np.arange(2))["mask"]
    assert mask.shape == (2, 2, 4, 6)
    assert mask.amax((2, 3)).tolist() == mask.amin((2, 3)).tolist() == [[0, -1], [-1, 0]]


def test_a_given_mask_outranks_the_label():
    given = np.ones((4, 6), dtype=int)
    samples = Samples(
        images=images(2), labels=np.array([0, 1]), masks=as_masks([given, None], 2), dense=True
    )
    batch = samples.batch(np.arange(2))
    assert (batch["mask"][0] == 1).all()
    assert (batch["mask"][1] == -1).all()
    assert batch["label"].tolist() == [-1, 1]


def test_labels_are_left_out_when_every_image_has_its_mask():
    masks = as_masks(np.zeros((2, 4, 6), dtype=int), 2)
    samples = Samples(images=images(2), labels=np.array([0, 1]), masks=masks, dense=True)
    assert "label" not in samples.batch(np.arange(2))


def test_masks_follow_the_size_of_images_by_nearest_pixels():
    masks = np.arange(4).reshape(1, 2, 2)
    samples = Samples(
        images=as_images(np.zeros((1, 2, 2))), size=(4, 6), masks=as_masks(masks, 1), dense=True
    )
    mask = samples.batch(np.arange(1))["mask"][0].numpy()
    np.testing.assert_array_equal(mask, masks[0].repeat(2, axis=0).repeat(3, axis=1))


def test_a_subset_keeps_everything_in_step():
    samples = Samples(
        images=images(4),
        labels=np.array([0, 1, 0, -1]),
        targets=np.arange(4),
        weights=np.arange(4, dtype=np.float32),
        masks=as_masks([None, np.ones((4, 6), dtype=int), None, None], 4),
        dense=True,
    )
    batch = samples.subset(np.array([3, 1])).batch(np.arange(2))
    assert batch["target"].tolist() == [3, 1]
    assert batch["weight"].tolist() == [3, 1]
    assert batch["mask"].amax((1, 2)).tolist() == [-1, 1]
    assert batch["image"][:, 0, 0, 0].tolist() == [72, 24]
    assert samples.labeled().tolist() == [True, True, True, True]


def test_labeled_and_counts():
    masks = as_masks([np.array([[0, 1], [1, -1]]), None, None], 3)
    samples = Samples(images=images(3, (2, 2)), masks=masks, labels=np.array([-1, 1, -1]))
    assert samples.labeled().tolist() == [True, True, False]
    assert samples.pixel_counts(3).tolist() == [1, 2, 0]
    samples.labels = np.array([0, 0, -1])  # an empty mask has pixels, too; a given one goes first
    assert samples.pixel_counts(3).tolist() == [5, 2, 0]


def test_labels_that_are_not_learned_from():
    labels = np.array([0, 1, 2, -1, 2])
    masks = as_masks([None] * 4 + [np.ones((4, 6), dtype=int)], 5)
    samples = Samples(images=images(5), masks=masks, labels=labels, dense=True)
    samples.label_ids = np.array([False, False, True])
    batch = samples.batch(np.arange(5))
    assert batch["label"].tolist() == [0, -1, 2, -1, -1]
    assert samples.labeled().tolist() == [True, False, True, False, True]
    samples.label_ids = np.zeros(3, dtype=bool)
    assert "label" not in samples.batch(np.arange(5))
    assert samples.labeled().tolist() == [True, False, False, False, True]


def test_channels_whose_labels_are_not_learned_from():
    samples = Samples(images=images(2), labels=np.array([[1, 0], [1, -1]]), n_mask_channels=2)
    samples.dense, samples.label_ids = True, np.array([False, False])
    batch = samples.batch(np.arange(2))
    assert "label" not in batch
    assert batch["mask"].amax((2, 3)).tolist() == [[-1, 0], [-1, -1]]
    assert samples.labeled().tolist() == [True, False]


def test_shares_of_classes():
    masks = [np.full((4, 6), 1), np.full((8, 8), -1), None, None]
    masks[1][0, :2] = 0, 1
    labels = np.array([-1, -1, 0, -1])
    samples = Samples(images=images(4), masks=as_masks(masks, 4), labels=labels)
    expected = [1 - (1 + 0.5 + 0) / 3, (1 + 0.5 + 0) / 3, 0]
    np.testing.assert_allclose(samples.class_shares(3), expected)
    assert np.isnan(Samples(images=images(2)).class_shares(2)).all()


def test_shares_of_channels():
    masks = np.zeros((3, 2, 4, 4), dtype=int)
    masks[0, 0], masks[1, 0], masks[:, 1] = 1, -1, -1
    samples = Samples(images=images(3, (4, 4)), masks=as_masks(masks, 3), n_mask_channels=2)
    np.testing.assert_allclose(samples.class_shares(2), [0.5, np.nan])
