"""Warn if a segmenter finds nothing in the images that it learned from."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from segclf.data import Samples

# Whether a fit with other fits as parts has warned already; None outside of such a fit.
_warned: ContextVar[list[bool] | None] = ContextVar("warned", default=None)


class NothingFoundWarning(UserWarning):
    """A trained segmenter predicts an empty mask for each of its training images."""


@contextmanager
def warn_once() -> Iterator[None]:
    """Let all fits inside, such as those of folds or rounds, warn at most once."""
    token = None if _warned.get() is not None else _warned.set([False])
    try:
        yield
    finally:
        if token is not None:
            _warned.reset(token)


def warn_if_nothing_found(
    outputs: Iterable[tuple[Any, Tensor]],
    decide: Callable[[NDArray[Any]], NDArray[Any]],
    samples: Samples,
    n_classes: int,
) -> None:
    """Look at predictions until one shows something; warn if none does, but true masks do.

    Parameters
    ----------
    outputs : iterable of (indices, Tensor)
        Probabilities of the training images.
    decide : callable
        From probabilities to masks.
    samples : Samples
        The training samples.
    n_classes : int
        Number of mask ids or channels.
    """
    warned = _warned.get() or [False]
    if warned[0]:  # no second warning: predict nothing
        return
    try:
        found = any(decide(output.numpy()).any() for _, output in outputs)
    except FloatingPointError:  # not finite: predict reports it, with the image's number
        return
    if found or not _shown(samples, n_classes):
        return
    warned[0] = True
    warnings.warn(
        f"The network finds nothing in any of its {len(samples)} training images: all masks that "
        "it predicts are empty, and those of other images will be, too. Train longer (max_epochs), "
        "try another learning_rate, class_weight='balanced', loss='dice_cross_entropy' for small "
        "findings, or fewer classes. To predict labels from probabilities below one half, give "
        "the summarizer a lower threshold.",
        NothingFoundWarning,
        stacklevel=2,
    )


def _shown(samples: Samples, n_classes: int) -> bool:
    """Tell whether any label or mask shows a finding."""
    first = 0 if samples.n_mask_channels is not None else 1
    labels = samples.labels
    return bool(samples.pixel_counts(n_classes)[first:].any()) or (
        labels is not None and bool((labels > 0).any())
    )
