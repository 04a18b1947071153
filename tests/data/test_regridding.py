import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from segclf.data.regridding import regridded, regridded_part
from segclf.data.resize import resize_maps, resize_mask

VOLUME = np.random.default_rng(0).normal(size=(5, 8, 9, 2)).astype(np.float32)


def by_torch(volume, size):
    values = torch.from_numpy(volume).movedim(-1, 0)[None]
    return functional.interpolate(values, size, mode="trilinear")[0].movedim(0, -1).numpy()


@pytest.mark.parametrize("size", [(10, 16, 18), (7, 8, 20), (5, 11, 9)])
def test_what_grows_is_interpolated_as_by_torch_and_scipy(size):
    grown = regridded(VOLUME, size)
    np.testing.assert_allclose(grown, by_torch(VOLUME, size), atol=1e-5)
    zoom = [new / old for new, old in zip(size, VOLUME.shape, strict=False)]
    options = {"order": 1, "mode": "nearest", "grid_mode": True}
    theirs = np.stack([ndimage.zoom(VOLUME[..., c], zoom, **options) for c in (0, 1)], axis=-1)
    np.testing.assert_allclose(grown, theirs, atol=1e-5)


def test_what_shrinks_is_the_mean_of_what_falls_into_a_voxel():
    blocks = VOLUME[:, :, :8].reshape(5, 4, 2, 2, 4, 2).mean((2, 4))
    np.testing.assert_allclose(regridded(VOLUME[:, :, :8], (5, 4, 2)), blocks, atol=1e-6)
    ramp = np.arange(9.0, dtype=np.float32).reshape(9, 1, 1, 1)
    np.testing.assert_allclose(regridded(ramp, (2, 1, 1)).ravel(), [1.7777778, 6.2222222])


@pytest.mark.parametrize("size", [(10, 16, 18), (3, 8, 4), (9, 5, 9), (5, 8, 9)])
def test_a_part_is_that_part_of_the_whole_and_reads_little(size):
    whole = regridded(VOLUME, size)
    corner, part = (1, 2, 0), (2, 3, 4)
    asked = []

    def read(start, length):
        asked.append(np.prod(length))
        return VOLUME[tuple(slice(s, s + n) for s, n in zip(start, length, strict=True))]

    cut = regridded_part(read, VOLUME.shape[:3], size, corner, part)
    places = tuple(slice(s, s + n) for s, n in zip(corner, part, strict=True))
    np.testing.assert_allclose(cut, whole[places], atol=1e-6)
    assert asked[0] < VOLUME[..., 0].size


def test_long_axes_are_computed_in_blocks():
    ramp = np.linspace(0, 1, 150, dtype=np.float32).reshape(150, 1, 1, 1)
    np.testing.assert_allclose(regridded(ramp, (400, 1, 1)), by_torch(ramp, (400, 1, 1)), atol=1e-6)


def test_maps_and_masks_of_volumes_change_size():
    maps = torch.from_numpy(VOLUME).movedim(-1, 0)[None]
    np.testing.assert_allclose(
        resize_maps(maps, (10, 8, 9)),
        functional.interpolate(maps, (10, 8, 9), mode="trilinear"),
        atol=1e-6,
    )
    mask = np.arange(4).reshape(2, 2, 1)
    assert resize_mask(mask, (4, 2, 2))[:, 0].tolist() == [[0, 0], [0, 0], [2, 2], [2, 2]]
    assert resize_mask(mask[None], (4, 2, 2)).shape == (1, 4, 2, 2)
