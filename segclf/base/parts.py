"""Fits that are parts of another fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.callback import CallbackContext


@contextmanager
def as_a_part(context: CallbackContext, part: Any, owner: Any = None) -> Iterator[None]:
    """Pass our callbacks to an estimator as a part of ours, not one level below.

    A `ProgressBar` reaches one level down by default; a search should still show the epochs of the
    part, such as those of a classifier's segmenter. If the part does not support callbacks, the
    owner reports its begin and end.
    """
    if owner is not None and not hasattr(part, "set_callbacks"):
        context.call_on_fit_task_begin(estimator=owner)
        yield
        context.call_on_fit_task_end(estimator=owner)
        return
    context._propagation_depth -= 1
    with context.propagate_callback_context(part):
        yield
