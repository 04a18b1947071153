import pytest
import torch
from sklearn.base import clone

from segclf.data.augmentation import Augmentation
from segclf.data.presets import PRESETS

FILTERS = Augmentation(grayscale=0.5, blur=(0.1, 2.0), blur_probability=0.5, solarize=0.5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth_images(n_images=4, n_channels=3, height=24, width=24, seed=0):
    coarse = torch.rand(n_images, n_channels, 4, 4, generator=generator(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")


def blocky_masks(n_images=4, height=24, width=24, seed=0):
    coarse = torch.randint(-1, 3, (n_images, 1, 3, 3), generator=generator(seed)).float()
    return torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")[:, 0].long()


def unchanged(changed, image):
    return (changed == image).flatten(1).all(dim=1)


@pytest.mark.parametrize(
    "settings",
    [{"grayscale": 0.5}, {"solarize": 0.5}, {"blur": (1.0, 2.0), "blur_probability": 0.5}],
    ids=["grayscale", "solarize", "blur"],
)
def test_filters_leave_the_images_that_they_do_not_choose_bit_for_bit(settings):
    image = torch.rand(200, 3, 6, 6, generator=generator())
    changed, _ = Augmentation(**settings)(image, None, generator())
    assert 70 < unchanged(changed, image).sum() < 130


@pytest.mark.parametrize(
    "settings",
    [{"grayscale": 1e-9}, {"solarize": 1e-9}, {"blur": (1, 2), "blur_probability": 1e-9}],
    ids=["grayscale", "solarize", "blur"],
)
def test_filters_may_choose_no_image(settings):
    image = smooth_images()
    assert torch.equal(Augmentation(**settings)(image, None, generator())[0], image)


def test_gray_images_have_equal_channels():
    image = smooth_images()
    augmentation = Augmentation(grayscale=1.0, hue=60, noise=0.3, crop=(0.5, 1.0))
    gray, _ = augmentation(image, None, generator())
    assert torch.equal(gray, gray[:, :1].expand_as(gray))
    torch.testing.assert_close(
        Augmentation(grayscale=1.0)(image, None, generator())[0][:, 0], image.mean(1)
    )


@pytest.mark.parametrize("n_channels", [1, 2, 4])
def test_other_than_three_channels_stay_as_they_are_in_gray(n_channels):
    image = smooth_images(n_channels=n_channels)
    assert torch.equal(Augmentation(grayscale=1.0)(image, None, generator())[0], image)


def test_blur_is_uniform_in_its_deviation():
    points = torch.zeros(300, 1, 21, 21)
    points[..., 10, 10] = 1
    blurred, _ = Augmentation(blur=(0.5, 2.0))(points, None, generator())
    squares = torch.arange(-10, 11) ** 2
    deviation = (blurred[:, 0].sum(1) * squares).sum(1).sqrt()
    quantiles = deviation.quantile(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(quantiles, torch.tensor([0.5, 1.25, 2.0]), atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("size", "output_scale", "expected"),
    [((42, 42), 1.0, 2.0), ((21, 63), 1.0, 1.0), ((84, 84), 0.5, 4.0)],
)
def test_blur_follows_the_shorter_side_before_the_output_is_scaled(size, output_scale, expected):
    """As where small crops are blurred by the papers' pixels, too, and large ones alike."""
    point = torch.zeros(1, 1, *size)
    point[..., size[0] // 2, size[1] // 2] = 1
    settings = {"output_scale": output_scale, "blur": (2.0, 2.0)}
    view = Augmentation(**settings, blur_reference_size=42)
    by_hand = Augmentation(output_scale=output_scale, blur=(expected, expected))
    blurred = view(point, None, generator())[0]
    assert torch.equal(blurred, by_hand(point, None, generator())[0])


def test_blur_of_its_own_size_is_blur_without_one():
    image = smooth_images(8, 3, 24, 36)
    views = (Augmentation(blur=(0.1, 2.0), blur_reference_size=s) for s in (24, None))
    assert torch.equal(*(view(image, None, generator())[0] for view in views))


def test_solarization_asks_for_the_extremes_before_the_image_moves():
    image = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(20, 1, 1, 1)
    moves = {"crop": (0.2, 0.2), "brightness": 0.5}
    cropped, _ = Augmentation(**moves)(image, None, generator())
    solarized, _ = Augmentation(**moves, solarize=1.0)(image, None, generator())
    torch.testing.assert_close(solarized, torch.where(cropped > 31.5, 63 - cropped, cropped))


def test_filters_do_not_change_what_else_is_sampled():
    image, mask = smooth_images(32), blocky_masks(32)
    settings = {**PRESETS["strong"], "quarter_turns": 0.5}
    plain, moved = Augmentation(**settings)(image, mask, generator())
    some = Augmentation(**{**FILTERS.get_params(), **settings})
    filtered, moved_too = some(image, mask, generator())
    assert torch.equal(moved, moved_too)
    kept = unchanged(filtered, plain)
    assert kept.any()
    assert not kept.all()


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [
        (0.5, (24, 24), (12, 12)),
        (3 / 7, (224, 112), (96, 48)),
        (0.3, (24, 18), (7, 5)),
        (0.01, (24, 1), (1, 1)),
        (0.99, (9, 90), (9, 89)),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"crop": (0.5, 1.0), "blur": (0.1, 2), "noise": 0.1}])
def test_output_scale_is_that_of_images_and_masks(scale, size, expected, settings):
    image, mask = smooth_images(4, 3, *size), blocky_masks(4, *size)
    stack = torch.stack([mask, mask], dim=1)
    augmentation = Augmentation(output_scale=scale, **settings)
    small, small_mask = augmentation(image, mask, generator())
    assert small.shape == (4, 3, *expected)
    assert small_mask.shape == (4, *expected)
    small_stack = augmentation(image, stack, generator())[1]
    assert torch.equal(small_stack, torch.stack([small_mask, small_mask], dim=1))


def test_output_scale_is_bilinear_interpolation():
    image = smooth_images(2, 3, 24, 36)
    small, _ = Augmentation(output_scale=0.75)(image, None, generator())
    expected = torch.nn.functional.interpolate(image, (18, 27), mode="bilinear")
    torch.testing.assert_close(small, expected)


def test_output_scale_changes_neither_the_place_nor_the_flip():
    image = smooth_images(8, 3, 48, 48)
    settings = {"crop": (0.3, 0.9), "rotation": 30, "horizontal_flip": 0.5, "contrast": 0.5}
    large, _ = Augmentation(**settings)(image, None, generator())
    small, _ = Augmentation(**settings, output_scale=1 / 3)(image, None, generator())
    torch.testing.assert_close(small, large[..., 1::3, 1::3], atol=1e-4, rtol=0)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_filters_keep_the_memory_format(scale):
    image = smooth_images(8)
    augmentation = clone(FILTERS).set_params(output_scale=scale)
    changed, _ = augmentation(image, None, generator())
    last = image.contiguous(memory_format=torch.channels_last)
    changed_last, _ = augmentation(last, None, generator())
    assert changed.is_contiguous()
    assert changed_last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(changed, changed_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_filters_as_the_cpu_does():
    image = smooth_images(8)
    changed, _ = FILTERS(image, None, generator())
    on_gpu, _ = FILTERS(image.cuda(), None, generator())
    torch.testing.assert_close(on_gpu.cpu(), changed, rtol=1e-3, atol=1e-3)
