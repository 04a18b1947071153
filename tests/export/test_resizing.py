import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segclf.data import resize_image
from segclf.data.resize import resize_maps
from segclf.export import resizing

SIZES = [
    (64, 48),
    (90, 110),
    (128, 96),
    (30, 100),
    (101, 237),
    (300, 65),
    (10, 12),
    (48, 1),
    (1, 7),
]


@pytest.mark.parametrize("size", SIZES)
def test_images_as_opencv_resizes_them(size):
    images = np.random.default_rng(0).random((2, *size, 3), dtype=np.float32)
    expected = np.stack([resize_image(image, (64, 48)) for image in images])
    given = resizing.resized(torch.from_numpy(images).permute(0, 3, 1, 2), (64, 48))
    np.testing.assert_allclose(given.permute(0, 2, 3, 1), expected, atol=3e-6)


# Not one column: torch antialiases rows wrongly then.
@pytest.mark.parametrize("size", [(48, 3) if size == (48, 1) else size for size in SIZES])
def test_maps_as_torch_resizes_them(size):
    maps = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    height, width = size
    skips = 2 * height < 64 or 2 * width < 48
    resize = resizing._without_skipping if skips else resizing._interpolated
    given = resize(maps, torch.empty(2, 1, height, width))
    np.testing.assert_allclose(given, resize_maps(maps, size), atol=1e-5)


@pytest.mark.parametrize("grid", [(4, 4), (7, 5), (3, 16), (1, 1), (20, 30)])
def test_means_of_cells_as_torch_takes_them(grid):
    maps = torch.rand(2, 3, 20, 16, generator=torch.Generator().manual_seed(0))
    given = resizing.averaged(maps, torch.empty(1, 1, *grid))
    np.testing.assert_allclose(given, F.adaptive_avg_pool2d(maps, grid), atol=1e-6)
