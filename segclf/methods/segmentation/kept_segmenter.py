"""Earlier segmenters and maps, found again by everything that they depend on."""

from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from segclf.axes import N_SPATIAL, is_map
from segclf.base import SegmenterEnsemble, Supervision
from segclf.base.checkpoints import may_be_stopped
from segclf.base.maps import Maps, stack_maps
from segclf.base.parts import as_a_part
from segclf.base.spatial import n_spatial
from segclf.cache import Memory, digest, learned
from segclf.data import ImagesLike
from segclf.progress import counted

# Number of images whose maps are kept and read together.
BLOCK = 32

MapBatches = Iterator[tuple[NDArray[np.intp], Maps]]


class KeptSegmenter:
    """A fitted segmenter, or its learned state, from which it is built on demand.

    Parameters
    ----------
    segmenter : segmenter
        The fitted segmenter; with `learned`, an unfitted one with the same parameters.
    learned : dict, optional
        Its learned state, from `segclf.cache.learned`.
    token : str, optional
        Identifies everything that decides its predictions; its digest by default.
    """

    def __init__(
        self, segmenter: Any, learned: dict[str, Any] | None = None, token: str | None = None
    ) -> None:
        self._segmenter, self._learned, self.token = segmenter, learned, token

    @property
    def block(self) -> int:
        """Number of images, or one volume, to predict at once."""
        return BLOCK if n_spatial(self._segmenter) == N_SPATIAL else 1

    @property
    def shows_layers(self) -> bool:
        """Whether it can return the maps of a layer, as segmenters of one network can."""
        return hasattr(self._segmenter, "embed_batches")

    def restore(self) -> Any:
        """Return the fitted segmenter."""
        if self._learned is not None:
            self._segmenter.__setstate__({**self._segmenter.__getstate__(), **self._learned})
            self._learned = None
        return self._segmenter

    def predict(
        self, memory: Memory | None, X: ImagesLike, *, layer: str | None, channels: slice
    ) -> MapBatches:
        """Yield (indices, maps); with memory in blocks, as a list if maps differ in size.

        Parameters
        ----------
        memory : Memory or None
            Where maps are kept and looked up.
        X : array, list, paths or tensor
            The images.
        layer : str or None
            Layer of the segmenter's embeddings; None for the probabilities of mask ids.
        channels : slice
            Which mask ids.
        """
        if memory is None:
            yield from _predict(self.restore(), X, layer, channels)
            return
        token = self.token or _token_of(self.restore())
        counts: Any = {"total": _num_samples(X), "unit": "images", "size": len}
        for rows in counted(blocks(X, self.block), "prediction", **counts):
            part = _safe_indexing(X, rows)
            predict = partial(self._predict_again, len(rows), part, layer, channels)
            yield rows, memory.recall(digest(token, part, layer, channels), predict)

    def _predict_again(self, n_images: int, *how: Any) -> Maps:
        return in_order(_predict(self.restore(), *how), n_images)


def fit_segmenter(
    segmenter: Any,
    supervision: Supervision,
    *,
    memory: Memory | None,
    context: CallbackContext,
    owner: Any,
) -> KeptSegmenter:
    """Fit a segmenter as a part of its owner's fit, unless memory has its result.

    Parameters
    ----------
    segmenter : segmenter
        Cloned.
    supervision : Supervision
        Its training data.
    memory : Memory or None
        Where it is kept and looked up.
    context : CallbackContext
        Callback context of the owner's fit.
    owner : estimator
        Its callbacks are also called for a fit found in memory.
    """
    segmenter = clone(segmenter)
    positional, named = supervision.arguments(segmenter)
    if memory is None:
        with as_a_part(context.subcontext(task_name="segmenter"), segmenter, owner):
            return KeptSegmenter(segmenter.fit(*positional, **named))
    n_tasks = len(context._children_map)
    task = partial(context.subcontext, task_name="segmenter")

    def fit() -> Any:
        with as_a_part(task(), segmenter, owner):
            return segmenter.fit(*positional, **named)

    key = digest(segmenter, *positional, named)
    token, what = memory.recall(key, lambda: _learned(fit()), _named_by(segmenter))
    if n_tasks == len(context._children_map):
        found = task().call_on_fit_task_begin(estimator=owner)
        found.call_on_fit_task_end(estimator=owner)
    return KeptSegmenter(segmenter, what, token)


def usable(memory: Any, *estimators: Any) -> Any:
    """Return the memory, or None if callbacks may stop a fit."""
    return None if any(map(may_be_stopped, estimators)) else memory


def in_order(batches: MapBatches, n_images: int) -> Maps:
    """Return maps in the order of their indices, as one array if they have one size."""
    maps: list[Any] = [None] * n_images
    for indices, values in batches:
        for index, value in zip(indices, values, strict=True):
            maps[index] = value
    return stack_maps(maps)


def _token_of(segmenter: Any) -> str:
    if isinstance(segmenter, SegmenterEnsemble):
        return digest([digest(each) for each in segmenter.segmenters_])
    return digest(segmenter)


def _predict(segmenter: Any, X: Any, layer: str | None, channels: slice) -> MapBatches:
    if layer is not None:
        yield from segmenter.embed_batches(X, layer)
    elif hasattr(segmenter, "predict_proba_batches"):
        for indices, probabilities in segmenter.predict_proba_batches(X):
            yield indices, probabilities[:, channels]
    else:
        for rows in blocks(X, BLOCK):
            maps = segmenter.predict_proba(_safe_indexing(X, rows))
            yield rows, stack_maps([_checked(m, segmenter, channels)[channels] for m in maps])


def _checked(maps: Any, segmenter: Any, channels: slice) -> NDArray[Any]:
    """Raise if the output is not one map for each class."""
    maps = np.asarray(maps)
    if not is_map(maps) or len(maps) < channels.stop:
        raise ValueError(
            f"{type(segmenter).__name__}.predict_proba returned maps of shape {maps.shape} for an "
            f"image; expected ({channels.stop} or more, height, width), one for each mask id."
        )
    return maps


def blocks(X: Any, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of a few images at a time."""
    for start in range(0, max(1, _num_samples(X)), size):  # no images: one block, to be refused
        yield np.arange(start, min(start + size, _num_samples(X)))


def _learned(segmenter: Any) -> tuple[str, dict[str, Any]]:
    return digest(segmenter), learned(segmenter)


def _named_by(estimator: Any) -> list[Any]:
    """Return the custom classes and functions of an estimator, which its state may name."""
    values = [estimator, *estimator.get_params().values()]
    code = [each for each in values if isinstance(each, type | FunctionType)]
    return [*code, *(type(each) for each in values if hasattr(each, "get_params"))]
