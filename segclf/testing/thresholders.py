"""Checks of thresholders, which turn a gray image into a boolean mask of its size."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.testing.report import Check
from segclf.testing.samples import make_samples


def check_mask_form(thresholder: Any) -> None:
    """The mask is boolean and of the image's size, for 8-bit, 16-bit and float images."""
    for image in _images():
        _assert_mask(thresholder(image), image)


def check_mask_of_constant_image(thresholder: Any) -> None:
    """A constant image gives a mask, too."""
    for value in (0, 7, 255):
        for dtype in (np.uint8, np.uint16, np.float32, np.float64):
            image = np.full((9, 12), value, dtype=dtype)
            _assert_mask(thresholder(image), image)


def check_mask_of_tiny_image(thresholder: Any) -> None:
    """An image of very few pixels gives a mask, too."""
    for size in ((1, 1), (1, 5), (2, 3)):
        image = np.arange(np.prod(size), dtype=np.uint8).reshape(size)
        _assert_mask(thresholder(image), image)


def check_image_is_left_alone(thresholder: Any) -> None:
    """Images may be read-only or views and are not changed."""
    for image in _images():
        before = image.copy()
        image.setflags(write=False)
        _assert_mask(thresholder(image), image)
        _assert_mask(thresholder(image[::2, ::-1]), image[::2, ::-1])
        np.testing.assert_array_equal(image, before)


def check_mask_is_repeatable(thresholder: Any) -> None:
    """The same image gives the same mask, regardless of images in between."""
    first, *others = _images()
    mask = thresholder(first)
    for image in others:
        thresholder(image)
    np.testing.assert_array_equal(thresholder(first), mask)


def check_transform_agrees(thresholder: Any) -> None:
    """``transform``, if any, gives the same masks for many images as single calls."""
    if hasattr(thresholder, "transform"):
        first, *others = _images()
        images = [first, first[:9, ::2], *others]
        for image, mask in zip(images, thresholder.transform(images), strict=True):
            np.testing.assert_array_equal(mask, thresholder(image))


def _images() -> Iterator[NDArray[Any]]:
    gray = make_samples(size=(24, 17)).images[1, ..., 0]
    yield gray
    yield np.uint16(257) * gray
    yield (gray / 255).astype(np.float32)
    yield gray / 255.0 - 0.5


def _assert_mask(mask: Any, image: NDArray[Any]) -> None:
    assert isinstance(mask, np.ndarray), f"a mask is an array, not a {type(mask).__name__}"
    assert mask.dtype == np.bool_, f"a mask is boolean, not {mask.dtype}"
    assert mask.shape == image.shape, f"mask {mask.shape} of an image {image.shape}"


CHECKS: tuple[Check, ...] = (
    check_mask_form,
    check_mask_of_constant_image,
    check_mask_of_tiny_image,
    check_image_is_left_alone,
    check_transform_agrees,
    check_mask_is_repeatable,
)
