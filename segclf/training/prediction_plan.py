"""The plan of a prediction: how large its batches are, and where it is computed."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from segclf.data.resize import Size

PIXELS_A_BATCH = 2**20


@dataclass(frozen=True, kw_only=True)
class PredictionPlan:
    """How to predict.

    Parameters
    ----------
    batch_size : int
        Number of images in a batch, at most; fewer when images are large. It depends on the
        size that the network sees alone, and short batches are filled up, so that the result for
        an image does not depend on its company.
    image_size : (int, int) or None
        Height and width that images are brought to; None leaves them as they are.
    tile_size : int, tuple of int, or None
        Larger images are predicted in overlapping tiles of this height and width; volumes in
        windows of so many slices, too.
    flips : str or None
        Over which ways to lie the mean is taken, as in `mean_over_flips`; whole images are flipped,
        not their tiles.
    device : torch.device
        Where to compute.
    precision : {"fp32", "bf16"}
        In which precision to compute.
    n_threads : int
        On how many threads to compute.
    adjustable : tuple of str
        Parameters of whoever asks that say how much memory it takes; "tile_size" among them allows
        tiles where an image does not fit.
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
        """Return the sides of a tile; those of the image where there are no tiles."""
        if self.tile_size is None:
            return tuple(size)
        return tuple(np.broadcast_to(self.tile_size, len(size)).tolist())

    def length(self, size: Size) -> int:
        """Return the number of images, or tiles, in a batch of images of that size."""
        n_pixels = math.prod(map(min, size, self.tile(size)))
        return max(1, min(self.batch_size, PIXELS_A_BATCH // n_pixels))
