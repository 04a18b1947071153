"""Change the size of images and masks."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]


def resize_image(image: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize an image (h, w, c) to `size` (height, width): area means down, bilinear up."""
    if image.shape[:2] == size:
        return image
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=method).reshape(*size, image.shape[2])


def resize_mask(mask: NDArray[Any], size: Size) -> NDArray[np.int64]:
    """Resize a mask (h, w) or (k, h, w) to `size` (height, width) by the nearest pixel's value."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)
        for new, old in zip(size, mask.shape[-2:], strict=True)
    )
    same = mask.shape[-2:] == size
    return np.asarray(mask if same else mask[..., rows[:, None], columns], dtype=np.int64)
