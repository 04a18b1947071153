import numpy as np
import pytest
import torch

from segclf.data import Loader, RandomCrops, Samples, as_images, as_masks
from segclf.data.regridding import regridded
from segclf.data.resize import resize_mask

# Each voxel tells its place, so that a crop tells where it was cut.
SIZES = [(6, 12, 9), (9, 7, 14), (3, 16, 16)]
VOLUMES = [
    np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).astype(np.float32)
    for size in SIZES
]
MASKS = [np.zeros(size, dtype=np.uint8) for size in SIZES]
MASKS[0][5, 11, 8] = 2
MASKS[1][0:2, 3:5, 1:3] = 1


def loader(masks=MASKS, *, size=(4, 6, 6), fraction=1.0, batch_size=3, grid=None, **said):
    samples = Samples(images=as_images(VOLUMES, n_spatial=3, channels="last"), dense=True, **said)
    samples.masks = as_masks(masks, 3, n_spatial=3)
    samples.n_mask_channels = samples.masks.n_classes if samples.masks.multilabel else None
    samples.grid = grid
    crops = RandomCrops(size=size, finding_fraction=fraction)
    return Loader(samples, batch_size=batch_size, seed=0, crops=crops)


@pytest.mark.parametrize("multilabel", [False, True])
def test_volume_and_mask_are_cut_alike(multilabel):
    masks = [np.stack([m == 1, m == 2]).astype(np.uint8) for m in MASKS] if multilabel else MASKS
    for batch in loader(masks, fraction=0.0).epoch(1):
        assert batch["image"].shape[1:] == (3, 4, 6, 6)
        assert batch["mask"].shape[-3:] == (4, 6, 6)
        for index, image, mask in zip(batch["index"], batch["image"], batch["mask"], strict=True):
            first, given = image[:, 0, 0, 0].int().tolist(), masks[index]
            places = tuple(slice(s, s + n) for s, n in zip(first, (4, 6, 6), strict=True))
            volume = VOLUMES[index][places]
            whole = tuple(slice(0, n) for n in volume.shape[:3])
            np.testing.assert_array_equal(image.movedim(0, -1)[whole], volume)
            np.testing.assert_array_equal(mask[(..., *whole)], given[(..., *places)])


def test_volumes_that_are_smaller_than_a_crop_are_filled_up():
    for batch in loader(size=(8, 16, 16)).epoch(0):
        row = batch["index"].tolist().index(2)
        image, mask = batch["image"][row], batch["mask"][row]
        assert (mask[3:] == -1).all()
        assert (mask[:3] == 0).all()
        assert torch.equal(image[:, 3:], image[:, 2:3].expand(-1, 5, -1, -1))


def test_crops_show_findings_and_those_that_show_one_are_not_always_the_same():
    shown, corners = [], set()
    for epoch in range(12):
        for batch in loader().epoch(epoch):
            row = batch["index"].tolist().index(1)
            shown.append((batch["mask"][row] > 0).any())
            corners.add(tuple(batch["image"][row, :, 0, 0, 0].int().tolist()))
    assert all(shown)
    assert len(corners) > 3


def test_the_same_epoch_gives_the_same_crops():
    one, other = loader(), loader()
    for epoch in (3, 0, 3):
        for a, b in zip(one.epoch(epoch), other.epoch(epoch), strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


def test_labels_of_parts_are_open_but_for_nothing():
    labels = np.array([2, -1, 0])
    masks = [None, MASKS[1], None]
    batch = next(iter(loader(masks, labels=labels).epoch(0)))
    found = dict(zip(batch["index"].tolist(), batch["label"].tolist(), strict=True))
    assert found == {0: -1, 1: -1, 2: 0}
    masks_of = dict(zip(batch["index"].tolist(), batch["mask"], strict=True))
    assert (masks_of[0] == -1).all()
    assert (masks_of[2][:3] == 0).all()
    whole = next(iter(loader(masks, labels=labels, size=(9, 16, 16)).epoch(0)))
    found = dict(zip(whole["index"].tolist(), whole["label"].tolist(), strict=True))
    assert found == {0: 2, 1: -1, 2: 0}


def test_crops_are_parts_of_the_volume_on_another_grid():
    grid = np.array([(12, 12, 18), (9, 14, 7), (6, 8, 16)])
    for batch in loader(grid=grid, size=(20, 20, 20)).epoch(0):
        for index, image, mask in zip(batch["index"], batch["image"], batch["mask"], strict=True):
            size = tuple(grid[index].tolist())
            whole = tuple(slice(0, n) for n in size)
            expected = regridded(VOLUMES[index], size)
            np.testing.assert_allclose(image.movedim(0, -1)[whole], expected, atol=1e-5)
            np.testing.assert_array_equal(mask[whole], resize_mask(MASKS[index], size))
    for batch in loader(grid=grid).epoch(0):
        assert all((batch["mask"][row] > 0).any() for row in (batch["index"] < 2).nonzero()[:, 0])


def test_of_a_mapped_volume_a_part_is_read_and_checked(tmp_path):
    path = tmp_path / "volume.npy"
    volume = np.zeros((2, 8, 8, 8), dtype=np.float32)
    volume[0, 7, 7, 7] = np.nan
    np.save(path, volume)
    images = as_images(np.load(path, mmap_mode="r"), n_spatial=3)
    assert images.open(0).part((0, 0, 0), (4, 4, 4)).shape == (4, 4, 4, 1)
    with pytest.raises(ValueError, match="Image 0 contains NaN"):
        images.open(0).part((4, 4, 4), (4, 4, 4))
