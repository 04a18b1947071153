"""Fits that are parts of another fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.callback import CallbackContext


@contextmanager
def as_a_part(context: CallbackContext, part: Any) -> Iterator[None]:
    """Lend our callbacks to an estimator as a part of ours, not as a level below.

    A `ProgressBar` reaches one level down by default; a search should still show the epochs of
    the part, such as those of a classifier's segmenter.
    """
    context._propagation_depth -= 1
    with context.propagate_callback_context(part):
        yield
