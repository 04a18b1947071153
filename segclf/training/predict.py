"""Prediction: batches of one size and length for the network, in tiles where images are large."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segclf.axes import are_maps
from segclf.data import Images
from segclf.data.loader import one_ahead
from segclf.data.memory_order import channels_last
from segclf.data.resize import Size, resize_maps
from segclf.data.samples import image_tensor
from segclf.distributed import in_shares
from segclf.isolation import isolated, threads
from segclf.training.devices import autocast, moved
from segclf.training.fitting import Fitting
from segclf.training.flips import mean_over_flips
from segclf.training.prediction_plan import PredictionPlan

OVERLAP = 0.25


def predict_batches(
    network: nn.Module,
    images: Images,
    plan: PredictionPlan,
    activation: Callable[[Tensor], Tensor] | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
    """Yield (indices, output) of a few images of one size at a time.

    The network sees images in batches of one size, which images of many sizes share where the plan
    brings them to one; maps then go out at each image's own size.

    Parameters
    ----------
    network : nn.Module
        From images (n, c, h, w) to scores (n, k) or (n, k, h, w).
    images : Images
        What to predict; only a batch is held at a time, and the next is read meanwhile.
    plan : PredictionPlan
        How to predict.
    activation : callable, optional
        From scores to what is wanted of them, such as a softmax. Maps are blended and brought
        to the images' own size after it.
    forward : callable, optional
        What to ask of the network instead of its scores: one of its methods.

    Yields
    ------
    indices : array of shape (b,)
        Which images these are.
    output : Tensor of shape (b, k) or (b, k, h, w), float32
        What the network says of them.

    Raises
    ------
    FloatingPointError
        Where what the network says is not finite, with the number of the image.
    MemoryError
        Where one image at a time does not fit into memory, nor a tile of it, with what to change.
    """
    with isolated():
        network = moved(network, plan.device).eval()

    def read(indices: NDArray[np.intp]) -> tuple[NDArray[np.intp], list[Size], Tensor]:
        taken = images.take(indices)
        return indices, [each.shape[:-1] for each in taken], image_tensor(taken, plan.image_size)

    def answer(batch: Tensor) -> Tensor:
        with autocast(plan.device, plan.precision):
            said = in_shares(forward or network, batch.to(plan.device))
            output = _nan_where_infinite(said.float())
            return output if activation is None else activation(output)

    predict = Fitting(plan, partial(_predict_flips, answer))
    for indices, sizes, batch in one_ahead(read, _groups(images, plan)):
        with _inference(plan):
            output = predict(batch)
            _check_finite(output, indices)
        for rows in _same_size(sizes) if are_maps(output) else [np.arange(len(indices))]:
            # one size after the other: maps of large images, all at once, would fill the memory
            with _inference(plan):
                part = _at_own_size(output, rows, sizes).cpu()
            yield indices[rows], part


@contextmanager
def _inference(plan: PredictionPlan) -> Iterator[None]:
    with threads(plan.n_threads), isolated(), torch.inference_mode():
        yield


def _groups(images: Images, plan: PredictionPlan) -> Iterator[NDArray[np.intp]]:
    """Split the indices into batches of images of which the network sees one size."""
    sizes = images.sizes()
    if plan.image_size is not None:
        sizes = np.broadcast_to(plan.image_size, sizes.shape)
    seen, members = np.unique(sizes, axis=0, return_inverse=True)
    for number, size in enumerate(seen.tolist()):
        indices = np.flatnonzero(members.reshape(-1) == number)
        length = plan.length(size)
        for start in range(0, len(indices), length):
            yield indices[start : start + length]


def _same_size(sizes: list[Size]) -> list[NDArray[np.intp]]:
    """Split the rows of a batch by the images' own size."""
    found, members = np.unique(sizes, axis=0, return_inverse=True)
    return [np.flatnonzero(members.reshape(-1) == number) for number in range(len(found))]


def _at_own_size(output: Tensor, rows: NDArray[np.intp], sizes: list[Size]) -> Tensor:
    if not are_maps(output):
        return output
    if len(rows) == len(output):
        return resize_maps(output, sizes[0])
    return torch.cat([resize_maps(output[row : row + 1], sizes[row]) for row in rows])


def _nan_where_infinite(output: Tensor) -> Tensor:
    """Set what the network says of an image to NaN, if any of it is; an activation keeps that."""
    if output.sum().isfinite():  # a fraction of the time of a test of each value
        return output
    output[~_finite_rows(output)] = torch.nan
    return output


def _finite_rows(output: Tensor) -> Tensor:
    return output.reshape(len(output), -1).isfinite().all(dim=1)


def _check_finite(output: Tensor, indices: NDArray[np.intp]) -> None:
    if output.sum().isfinite():
        return
    broken = indices[~_finite_rows(output).cpu().numpy()]
    if len(broken):
        raise FloatingPointError(
            f"The network puts out NaN or infinity for image {broken[0]}"
            f"{f' and {len(broken) - 1} more of its batch' if len(broken) > 1 else ''}, of which "
            "nothing can be said. Compare the image's values with those of the training images; if "
            "other images fail too, train again with a lower learning_rate, or precision='fp32'."
        )


def _predict_flips(
    forward: Callable[[Tensor], Tensor], batch: Tensor, plan: PredictionPlan
) -> Tensor:
    return mean_over_flips(partial(_predict, forward, plan=plan), batch, plan.flips)


def _predict(forward: Callable[[Tensor], Tensor], batch: Tensor, plan: PredictionPlan) -> Tensor:
    """Return the outputs of a batch (n, c, h, w), in tiles where a side is too long."""
    size = tuple(batch.shape[2:])
    length = plan.length(size)
    if plan.tile_size is not None and max(size) > plan.tile_size:
        return torch.cat(
            [_predict_tiles(forward, image, plan.tile_size, length) for image in batch.split(1)]
        )
    return _predict_padded(forward, batch, length)


def _predict_padded(forward: Callable[[Tensor], Tensor], batch: Tensor, length: int) -> Tensor:
    missing = length - len(batch)
    if missing:
        last = batch[-1:].expand(missing, *batch.shape[1:])
        batch = channels_last(torch.cat([batch, last]))
    return forward(batch)[: length - missing]


def _predict_tiles(
    forward: Callable[[Tensor], Tensor], image: Tensor, tile_size: int, length: int
) -> Tensor:
    """Blend outputs of overlapping tiles, height by width, each by its distance to the border."""
    height, width = (min(s, tile_size) for s in image.shape[2:])
    corners = [
        (top, left)
        for top in _starts(image.shape[2], height)
        for left in _starts(image.shape[3], width)
    ]
    window = _ramp(height)[:, None] * _ramp(width)
    blended = weight = torch.zeros(())
    for start in range(0, len(corners), length):
        part = corners[start : start + length]
        tiles = torch.cat([image[:, :, t : t + height, s : s + width] for t, s in part])
        outputs = _predict_padded(forward, tiles, length).cpu()
        if start == 0:
            blended = torch.zeros(1, outputs.shape[1], *image.shape[2:])
            weight = torch.zeros(image.shape[2:])
        for (top, left), output in zip(part, outputs, strict=True):
            blended[0, :, top : top + height, left : left + width] += output * window
            weight[top : top + height, left : left + width] += window
    return blended / weight


def _starts(length: int, tile: int) -> list[int]:
    """Evenly spread tile positions that cover a length and overlap by a quarter at least."""
    n_tiles = 1 + int(np.ceil((length - tile) / (tile * (1 - OVERLAP))))
    return [round(s) for s in np.linspace(0, length - tile, n_tiles)]


def _ramp(length: int) -> Tensor:
    """Weights that rise from the border to the middle, never 0."""
    distance = torch.arange(length) + 0.5
    return torch.minimum(distance, length - distance) / length
