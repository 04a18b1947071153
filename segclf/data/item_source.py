"""Images that are made when they are taken: items of a Dataset, and PIL images."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from segclf.data.channels import Channels, as_hwc, checked_item
from segclf.data.kinds import EXPECTED, image_of
from segclf.data.opened_source import OpenedSource
from segclf.data.pictures import picture_array
from segclf.data.readers import read_image

__all__ = ["ItemSource"]


class ItemSource(OpenedSource):
    """Images of a map-style Dataset, or PIL images.

    Parameters
    ----------
    items : object
        It has a length, and items from 0.
    n_channels : int or None
        See `OpenedSource`.
    channels : {"first", "last"} or None
        Position of the channels in items that are arrays.
    """

    def __init__(self, items: Any, n_channels: int | None, channels: Channels) -> None:
        self._items, self._channels = items, channels
        super().__init__(len(items), n_channels)

    def header(self, row: int) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
        """Make the image; see `OpenedSource.header`."""
        image = self.open(row)
        return image.shape[:2], image.shape[2], image.dtype

    def open(self, row: int) -> NDArray[Any]:
        """Make the image; see `OpenedSource.open`."""
        item = image_of(self._items[row], row)
        if isinstance(item, Image.Image):
            return picture_array(item)
        if isinstance(item, str | os.PathLike):
            return read_image(item)
        if isinstance(item, np.ndarray | torch.Tensor):
            return np.array(as_hwc(checked_item(item, f"Image {row}", self._channels)))
        raise ValueError(f"Image {row} is a {type(item).__name__}; expected {EXPECTED}.")
