import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.testing import assert_close

from segclf.data.blur import blur


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("deviations", [(0.1, 0.7, 2.0), (1.0, 5.0, 3.3)])
@pytest.mark.parametrize("size", [(37, 70), (96, 33), (5, 3), (1, 40)])
def test_blur_is_that_of_scipy(size, deviations):
    image = images(3, 2, *size)
    blurred = blur(image, torch.tensor(deviations), largest=max(deviations))
    radius = int(np.ceil(4 * max(deviations)))
    for before, after, deviation in zip(image, blurred, deviations, strict=True):
        expected = gaussian_filter(
            before.double().numpy(), deviation, mode="reflect", radius=radius, axes=(1, 2)
        )
        assert_close(after, torch.from_numpy(expected).float(), atol=1e-6, rtol=1e-5)


def test_a_point_becomes_a_gaussian():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    distance = torch.arange(-20, 21)
    gaussian = torch.exp(-(distance**2) / (2 * 2.5**2)) / (2.5 * (2 * torch.pi) ** 0.5)
    expected = torch.outer(gaussian, gaussian)
    assert_close(blur(point, torch.tensor([2.5]), largest=3)[0, 0], expected, atol=1e-5, rtol=0)


def test_constants_and_sums_stay():
    constant = torch.full((1, 3, 20, 50), 7.0)
    assert_close(blur(constant, torch.tensor([2.0]), largest=2), constant)
    # Mirrored edges give back what crosses them.
    image = images(1, 3, 20, 50)
    blurred = blur(image, torch.tensor([2.0]), largest=2)
    assert_close(blurred.sum((2, 3)), image.sum((2, 3)))


def test_deviation_zero_changes_nothing():
    image = images(2, 3, 20, 50)
    assert torch.equal(blur(image, torch.zeros(2), largest=2), image)


def test_images_do_not_depend_on_each_other():
    image, deviation = images(3, 1, 20, 50), torch.tensor([0.5, 1.0, 2.0])
    alone = blur(image[:1], deviation[:1], largest=2)
    assert_close(blur(image, deviation, largest=2)[:1], alone)


def test_memory_format_does_not_matter():
    image, deviation = images(2, 3, 20, 50), torch.tensor([0.5, 2.0])
    last = image.contiguous(memory_format=torch.channels_last)
    assert_close(blur(last, deviation, largest=2), blur(image, deviation, largest=2))
