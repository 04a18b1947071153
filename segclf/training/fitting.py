"""Prediction that adapts to little memory: smaller batches, then tiles."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from segclf.data.resize import Size
from segclf.distributed import n_processes
from segclf.training.memory import OutOfMemoryWarning, is_out_of_memory, release
from segclf.training.prediction_plan import PredictionPlan

TILE_STEP = 32


class Fitting:
    """Predict batches by a plan, and switch to a smaller plan when memory runs out.

    The outputs are then those of the smaller plan, and a warning says so.

    Parameters
    ----------
    plan : PredictionPlan
        How to predict.
    predict : callable
        From a batch (n, c, h, w) and a plan to the outputs.
    """

    def __init__(
        self, plan: PredictionPlan, predict: Callable[[Tensor, PredictionPlan], Tensor]
    ) -> None:
        self._plan, self._asked, self._predict = plan, plan, predict

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the outputs of a batch (n, c, h, w), computed in as many parts as needed.

        Raises
        ------
        MemoryError
            If even the smallest plan needs too much memory.
        """
        size = tuple(batch.shape[2:])
        while True:
            try:
                parts = batch.split(self._plan.length(size))
                outputs = [self._predict(part, self._plan) for part in parts]
                return outputs[0] if len(outputs) == 1 else torch.cat(outputs)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or n_processes() > 1:  # others have moved on
                    raise
                self._plan = self._smaller(size, error)
            release(self._plan.device)  # once `error` is gone, which keeps outputs alive

    def _smaller(self, size: Size, error: Exception) -> PredictionPlan:
        length, tile_size = self._plan.length(size), self._smaller_tile(size)
        if length > 1:
            if self._plan is self._asked:
                warnings.warn(
                    f"{length} images of {_by(size)} do not fit into memory at once. They "
                    "are predicted in smaller batches, as with a smaller batch_size.",
                    OutOfMemoryWarning,
                    stacklevel=2,
                )
            return replace(self._plan, batch_size=length // 2)
        if tile_size is None:
            raise MemoryError(self._remedy(size)) from error
        warnings.warn(
            f"An image of {_by(size)} does not fit into memory. It is predicted in tiles, "
            f"as with batch_size=1 and tile_size={tile_size}.",
            OutOfMemoryWarning,
            stacklevel=2,
        )
        return replace(self._plan, tile_size=tile_size)

    def _smaller_tile(self, size: Size) -> int | None:
        """Return half the side, rounded up; None if tiles are not allowed or it is not smaller."""
        if "tile_size" not in self._plan.adjustable or self._asked.tile_size is not None:
            return None
        side = min(max(size), max(self._plan.tile(size)))
        half = math.ceil(side / 2 / TILE_STEP) * TILE_STEP
        return half if half < side else None

    def _remedy(self, size: Size) -> str:
        names = [name for name in ("image_size", "tile_size") if name in self._plan.adjustable]
        tile = self._plan.tile_size
        what = "An image" if tile is None else f"A tile of {_by(self._plan.tile(size))} of an image"
        remedy = f"; take a smaller {' or '.join(names)}" if names else ""
        return f"{what} of {_by(size)} does not fit into memory, even with batch_size=1{remedy}."


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
