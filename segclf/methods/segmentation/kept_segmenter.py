"""Segmenters fitted before, and maps drawn before, found again by all that they come from."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from segclf.base.maps import Maps
from segclf.base.parts import as_a_part
from segclf.base.supervision import Supervision
from segclf.cache import digest, learned

# Images whose maps are kept, and read, at once.
BLOCK = 32

Drawn = Iterator[tuple[NDArray[np.intp], Maps]]


class KeptSegmenter:
    """A fitted segmenter, or what it learned, from which it is built when somebody asks.

    Parameters
    ----------
    segmenter : segmenter
        The fitted one; with `learned`, an unfitted one of the same parameters.
    learned : dict, optional
        What it learned, from `segclf.cache.digests.learned`.
    token : str, optional
        Stands for all that decides what it predicts; its digest by default.
    """

    def __init__(
        self, segmenter: Any, learned: dict[str, Any] | None = None, token: str | None = None
    ) -> None:
        self._segmenter, self._learned, self._token = segmenter, learned, token

    def restore(self) -> Any:
        """Return the fitted segmenter."""
        if self._learned is not None:
            self._segmenter.__setstate__({**self._segmenter.__getstate__(), **self._learned})
            self._learned = None
        return self._segmenter

    def draw(self, memory: Any, X: Any, *, layer: str | None, channels: slice) -> Drawn:
        """Yield (indices, maps), with memory in blocks and a list where maps differ in size.

        Parameters
        ----------
        memory : joblib.Memory or None
            Where maps are looked for and kept.
        X : array, list, paths or tensor
            The images.
        layer : str or None
            Of the segmenter's embeddings; None for the probabilities of mask ids.
        channels : slice
            Of which mask ids.
        """
        if memory is None:
            yield from _drawn(self.restore(), X, layer, channels)
            return
        token = self._token or digest(self.restore())
        recall = memory.cache(_kept_maps, ignore=["draw"])
        for start in range(0, _num_samples(X), BLOCK):
            rows = np.arange(start, min(start + BLOCK, _num_samples(X)))
            part = _safe_indexing(X, rows)
            draw = partial(self._draw_again, part, layer, channels)
            yield rows, recall(digest(token, part, layer, channels), draw, len(rows))

    def _draw_again(self, *how: Any) -> Drawn:
        return _drawn(self.restore(), *how)


def fit_segmenter(
    segmenter: Any,
    supervision: Supervision,
    *,
    memory: Any,
    context: CallbackContext,
    owner: Any,
) -> KeptSegmenter:
    """Fit a segmenter as a part of its owner's fit, unless memory knows what it would learn.

    Parameters
    ----------
    segmenter : segmenter
        Cloned.
    supervision : Supervision
        What it learns from.
    memory : joblib.Memory or None
        Where it is looked for and kept.
    context : CallbackContext
        Of the owner's fit.
    owner : estimator
        Its callbacks hear of a fit that was found, too.
    """
    segmenter = clone(segmenter)

    def fit() -> Any:
        with as_a_part(context.subcontext(task_name="segmenter"), segmenter):
            return segmenter.fit(supervision.X, supervision.masks, **supervision.told)

    if memory is None:
        return KeptSegmenter(fit())
    n_tasks = len(context._children_map)
    key = digest(segmenter, supervision.X, supervision.masks, supervision.told)
    token, what = memory.cache(_kept_fit, ignore=["fit"])(key, fit)
    if n_tasks == len(context._children_map):
        task = context.subcontext(task_name="segmenter").call_on_fit_task_begin(estimator=owner)
        task.call_on_fit_task_end(estimator=owner)
    return KeptSegmenter(segmenter, what, token)


def usable(memory: Any, *estimators: Any) -> Any:
    """Return the memory, or None where callbacks that are not scikit-learn's own may stop a fit.

    What a segmenter learned until then is not what another one would learn.
    """
    return None if any(map(_may_be_stopped, estimators)) else memory


def in_order(drawn: Drawn, n_images: int) -> Maps:
    """Return maps in the order of their indices: one array where they are of one size."""
    maps: list[Any] = [None] * n_images
    for indices, values in drawn:
        for index, value in zip(indices, values, strict=True):
            maps[index] = value
    return np.stack(maps) if len({value.shape for value in maps}) == 1 else maps


def _drawn(segmenter: Any, X: Any, layer: str | None, channels: slice) -> Drawn:
    if layer is not None:
        yield from segmenter.embed_batches(X, layer)
        return
    for indices, probabilities in segmenter.predict_proba_batches(X):
        yield indices, probabilities[:, channels]


def _may_be_stopped(estimator: Any) -> bool:
    callbacks = getattr(estimator, "_skl_callbacks", [])
    return any(not type(each).__module__.startswith("sklearn.") for each in callbacks)


# What memory keeps: the key, a digest, holds all that decides the result.
def _kept_fit(key: str, fit: Callable[[], Any]) -> tuple[str, dict[str, Any]]:
    segmenter = fit()
    return digest(segmenter), learned(segmenter)


def _kept_maps(key: str, draw: Callable[[], Drawn], n_images: int) -> Maps:
    return in_order(draw(), n_images)
