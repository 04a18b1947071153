"""Prediction: batches of one size and length for the network, in tiles where images are large."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segclf.axes import N_SPATIAL, are_maps
from segclf.data import Images
from segclf.data.loader import one_ahead
from segclf.data.memory_order import channels_last
from segclf.data.open_volume import OpenVolume
from segclf.data.resize import Size, resize_maps
from segclf.data.samples import image_tensor
from segclf.distributed import in_shares
from segclf.isolation import isolated, threads
from segclf.progress import Task
from segclf.training.devices import autocast, moved
from segclf.training.fitting import Fitting
from segclf.training.flips import mean_over_flips
from segclf.training.predict_volume import predict_volume
from segclf.training.prediction_plan import PredictionPlan
from segclf.training.windows import slide

# There may be millions of images.
HEADERS_AT_ONCE = 1024


def predict_batches(
    network: nn.Module,
    images: Images,
    plan: PredictionPlan,
    activation: Callable[[Tensor], Tensor] | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
    *,
    grid: NDArray[np.intp] | None = None,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
    """Yield (indices, output) for a few images of one size at a time.

    Each batch that the network sees has images of one size. Images of different sizes share a batch
    if the plan resizes them to one size; maps are then resized to each image's own size.

    Parameters
    ----------
    network : nn.Module
        From images (n, c, h, w) to scores (n, k) or (n, k, h, w).
    images : Images
        Images to predict; only one batch is held at a time, and the next is read meanwhile.
    plan : PredictionPlan
        How to predict.
    activation : callable, optional
        Function of the scores, such as a softmax. It is applied before maps are blended and resized
        to the images' own size.
    forward : callable, optional
        Method of the network to call instead of the network itself.
    grid : array of shape (n, n_spatial), optional
        Size that each image is resized to, if the plan sets none.
    reduce : callable, optional
        Function of the maps at an image's own size, for example to masks, which are much smaller.
        For a volume in windows it is given a few slices at a time.

    Yields
    ------
    indices : array of shape (b,)
        Indices of these images.
    output : Tensor of shape (b, k) or (b, k, h, w), float32
        The network's output for them, or what `reduce` makes of it.

    Raises
    ------
    FloatingPointError
        If the output for an image is not finite; the message names the image.
    MemoryError
        If neither one image nor a tile of it fits into memory; the message says what to change.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from segclf.data import as_images
    >>> from segclf.networks import segmentation_network
    >>> from segclf.training import PredictionPlan, predict_batches
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> images = as_images(np.zeros((3, 16, 20, 3), np.uint8))
    >>> plan = PredictionPlan(batch_size=2, image_size=None, device=torch.device("cpu"))
    >>> [tuple(maps.shape) for _, maps in predict_batches(network, images, plan)]
    [(2, 2, 16, 20), (1, 2, 16, 20)]
    """
    with isolated():
        network = moved(network, plan.device).eval()
    answer = partial(_answer, forward or network, activation, plan)
    predict = Fitting(plan, partial(_predict_flips, answer))
    with Task("prediction", len(images), "images") as task:
        for rows in _parts(images):
            part, sizes = images.subset(rows), None if grid is None else grid[rows]
            for indices, output in _predict_part(part, plan, predict, sizes, rows, reduce):
                yield rows[indices], output
                task.add(len(indices))


def _parts(images: Images) -> Iterator[NDArray[np.intp]]:
    """Yield groups of rows; the sizes of a whole group are read before its images."""
    length = max(1, len(images)) if images.sizes_first else HEADERS_AT_ONCE
    for start in range(0, len(images), length):
        yield np.arange(start, min(start + length, len(images)))


def _predict_part(
    images: Images,
    plan: PredictionPlan,
    predict: Callable[[Tensor], Tensor],
    grid: NDArray[np.intp] | None,
    numbers: NDArray[np.intp],
    reduce: Callable[[Tensor], Tensor] | None,
) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
    seen = _seen_sizes(images, plan, grid)
    large = _large_volumes(seen, plan)
    groups = _groups(seen, np.flatnonzero(~large), plan)
    pin = plan.device.type == "cuda"
    for indices, sizes, batch in one_ahead(partial(_read, images, seen, pin), groups):
        with _inference(plan):
            output = predict(batch)
            _check_finite(output, numbers[indices])
        for rows in _same_size(sizes) if are_maps(output) else [np.arange(len(indices))]:
            with _inference(plan):
                part = _at_own_size(output, rows, sizes).cpu()
                part = part if reduce is None else reduce(part)
            yield indices[rows], part
    for index in np.flatnonzero(large).tolist():
        size, number = tuple(seen[index].tolist()), int(numbers[index])
        with _inference(plan):
            part = _in_windows(images.open(index, size), number, size, plan, predict, reduce)
        yield np.array([index]), part


def _read(
    images: Images, seen: NDArray[np.intp], pin: bool, indices: NDArray[np.intp]
) -> tuple[NDArray[np.intp], list[Size], Tensor]:
    """Read a batch: the images' indices, their own sizes, and the network's input.

    A GPU copies pinned memory asynchronously, and faster.
    """
    taken = images.take(indices)
    sizes = [each.shape[:-1] for each in taken]
    batch = image_tensor(taken, tuple(seen[indices[0]].tolist()))
    return indices, sizes, batch.pin_memory() if pin else batch


def _answer(
    ask: Callable[[Tensor], Tensor],
    activation: Callable[[Tensor], Tensor] | None,
    plan: PredictionPlan,
    batch: Tensor,
) -> Tensor:
    with autocast(plan.device, plan.precision):
        there = batch.to(plan.device, non_blocking=plan.device.type == "cuda")
        output = _nan_where_infinite(in_shares(ask, there).float())
        return output if activation is None else activation(output)


def _in_windows(
    volume: OpenVolume,
    number: int,
    size: tuple[int, ...],
    plan: PredictionPlan,
    predict: Callable[[Tensor], Tensor],
    reduce: Callable[[Tensor], Tensor] | None,
) -> Tensor:
    """Predict one volume window by window, and check that the output is finite."""

    def checked(windows: Tensor) -> Tensor:
        outputs = predict(windows)
        _check_finite(outputs, np.full(len(outputs), number))
        return outputs

    return predict_volume(volume, checked, plan.tile(size), plan.length(size), reduce)


@contextmanager
def _inference(plan: PredictionPlan) -> Iterator[None]:
    with threads(plan.n_threads), isolated(), torch.inference_mode():
        yield


def _seen_sizes(
    images: Images, plan: PredictionPlan, grid: NDArray[np.intp] | None
) -> NDArray[np.intp]:
    """Return the size at which the network sees each image."""
    if grid is None and plan.image_size is not None and not images.sizes_first:
        return np.broadcast_to(plan.image_size, (len(images), len(plan.image_size)))
    sizes = images.sizes() if grid is None else grid
    return sizes if plan.image_size is None else np.broadcast_to(plan.image_size, sizes.shape)


def _large_volumes(seen: NDArray[np.intp], plan: PredictionPlan) -> NDArray[np.bool_]:
    """Tell which images are volumes to be read and predicted in windows."""
    if plan.tile_size is None or seen.shape[1] == N_SPATIAL:
        return np.zeros(len(seen), dtype=bool)
    tiles = [plan.tile(size) for size in map(tuple, seen.tolist())]
    return np.any(seen > np.array(tiles), axis=1)


def _groups(
    seen: NDArray[np.intp], chosen: NDArray[np.intp], plan: PredictionPlan
) -> Iterator[NDArray[np.intp]]:
    """Split the chosen images into batches of one input size."""
    sizes, members = np.unique(seen[chosen], axis=0, return_inverse=True)
    for number, size in enumerate(sizes.tolist()):
        indices = chosen[members.reshape(-1) == number]
        length = plan.length(size)
        for start in range(0, len(indices), length):
            yield indices[start : start + length]


def _same_size(sizes: list[Size]) -> list[NDArray[np.intp]]:
    """Split the rows of a batch by the images' own size: maps of all at once take much memory."""
    found, members = np.unique(sizes, axis=0, return_inverse=True)
    return [np.flatnonzero(members.reshape(-1) == number) for number in range(len(found))]


def _at_own_size(output: Tensor, rows: NDArray[np.intp], sizes: list[Size]) -> Tensor:
    if not are_maps(output):
        return output
    if len(rows) == len(output):
        return resize_maps(output, sizes[0])
    return torch.cat([resize_maps(output[row : row + 1], sizes[row]) for row in rows])


def _nan_where_infinite(output: Tensor) -> Tensor:
    """Set an image's output to NaN if any value is not finite; activations keep NaN."""
    if output.sum().isfinite():  # much faster than testing each value
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
            f"The network's output is NaN or infinite for image {broken[0]}"
            f"{f' and {len(broken) - 1} more of its batch' if len(broken) > 1 else ''}. "
            "Compare the image's values with those of the training images; if other images fail "
            "too, train again with a lower learning_rate, or precision='fp32'."
        )


def _predict_flips(
    forward: Callable[[Tensor], Tensor], batch: Tensor, plan: PredictionPlan
) -> Tensor:
    return mean_over_flips(partial(_predict, forward, plan=plan), batch, plan.flips)


def _predict(forward: Callable[[Tensor], Tensor], batch: Tensor, plan: PredictionPlan) -> Tensor:
    """Return the outputs of a batch (n, c, h, w), in tiles where a side is too long."""
    size = tuple(batch.shape[2:])
    length = plan.length(size)
    tile = plan.tile(size)
    if any(map(int.__gt__, size, tile)):
        tiled = (_predict_tiles(forward, image, tile, length) for image in batch.split(1))
        return torch.cat(list(tiled))
    return _predict_padded(forward, batch, length)


def _predict_padded(forward: Callable[[Tensor], Tensor], batch: Tensor, length: int) -> Tensor:
    missing = length - len(batch)
    if missing:
        last = batch[-1:].expand(missing, *batch.shape[1:])
        batch = channels_last(torch.cat([batch, last]))
    return forward(batch)[: length - missing]


def _predict_tiles(
    forward: Callable[[Tensor], Tensor], image: Tensor, tile: Size, length: int
) -> Tensor:
    """Blend the maps of overlapping tiles of an image (1, c, h, w), or of a volume."""
    size = tuple(image.shape[2:])
    window = tuple(map(min, size, tile))

    def read(corners: Sequence[tuple[int, ...]]) -> Tensor:
        places = ([slice(s, s + n) for s, n in zip(c, window, strict=True)] for c in corners)
        return torch.cat([image[(slice(None), slice(None), *place)] for place in places])

    predict = partial(_predict_padded, forward, length=length)
    slabs = slide(read, predict, size, window, length)
    return torch.cat([slab.maps for slab in slabs], dim=1)[None]
