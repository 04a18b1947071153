"""The plan of a prediction: how large its batches are, and where it is computed."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from segclf.data.resize import Size

PIXELS_A_BATCH = 2**20
# A short batch is filled up, so that one image costs as much as a batch, and on a CPU a larger one
# is no faster (decision 56).
PIXELS_A_BATCH_ON_CPU = 2**16


@dataclass(frozen=True, kw_only=True)
class PredictionPlan:
    """How to predict.

    Parameters
    ----------
    batch_size : int
        Number of images in a batch, at most; fewer when images are large. It depends only on the
        size that the network sees, and short batches are filled up, so that the result for an image
        does not depend on the other images.
    image_size : (int, int) or None
        Height and width that images are resized to; None leaves them unchanged.
    tile_size : int, tuple of int, or None
        Larger images are predicted in overlapping tiles of this height and width, and volumes in
        windows with this number of slices, too.
    flips : str or None
        Orientations to average over, as in `mean_over_flips`; whole images are flipped, not their
        tiles.
    device : torch.device
        Where to compute.
    precision : {"fp32", "bf16", "fp16"}
        Precision to compute in.
    n_threads : int
        Number of CPU threads to compute with.
    adjustable : tuple of str
        The caller's parameters that decide how much memory prediction needs. If "tile_size" is
        among them, images that do not fit are predicted in tiles.
    """

    batch_size: int
    image_size: Size | None = None
    tile_size: int | Size | None = None
    flips: str | None = None
    device: torch.device = torch.device("cpu")
    precision: str = "fp32"
    n_threads: int = 1
    adjustable: tuple[str, ...] = ()

    def tile(self, size: Size) -> Size:
        """Return the sides of a tile, or of the image if there are no tiles."""
        if self.tile_size is None:
            return tuple(size)
        return tuple(np.broadcast_to(self.tile_size, len(size)).tolist())

    def length(self, size: Size) -> int:
        """Return the number of images, or tiles, in a batch of images of that size."""
        n_pixels = math.prod(map(min, size, self.tile(size)))
        limit = PIXELS_A_BATCH_ON_CPU if self.device.type == "cpu" else PIXELS_A_BATCH
        return max(1, min(self.batch_size, limit // n_pixels))
