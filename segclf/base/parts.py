"""Fits that are parts of another fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.callback import CallbackContext

from segclf.distributed import is_first
from segclf.progress import Task


@contextmanager
def as_a_part(context: CallbackContext, part: Any, owner: Any = None) -> Iterator[None]:
    """Pass our callbacks to an estimator as a part of ours, not one level below.

    A `ProgressBar` reaches one level down by default; a search should still show the epochs of the
    part, such as those of a classifier's segmenter. If the part does not support callbacks, the
    owner reports its begin and end. An owner consists of such parts only. The name of a part with
    ``verbose`` is printed.

    Examples
    --------
    >>> from sklearn.callback import CallbackSupportMixin, with_callbacks
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.base import Estimator, as_a_part
    >>> from segclf.datasets import make_shapes
    >>> class Outer(CallbackSupportMixin, Estimator):
    ...     @with_callbacks
    ...     def fit(self, X, y):
    ...         inner = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    ...         context = self._init_callback_context(max_subtasks=1)
    ...         with as_a_part(context.subcontext(task_name="inner"), inner, self):
    ...             self.inner_ = inner.fit(X, y)
    ...         return self
    >>> shapes = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
    >>> Outer().fit(shapes.images, shapes.masks).inner_.n_iter_
    1
    """
    if getattr(part, "verbose", 0) and is_first():
        print(_announcement(context, numbered=owner is not None))
    with Task(context.task_name), _lent(context, part, owner):
        yield


@contextmanager
def _lent(context: CallbackContext, part: Any, owner: Any) -> Iterator[None]:
    if owner is not None and not hasattr(part, "set_callbacks"):
        context.call_on_fit_task_begin(estimator=owner)
        yield
        context.call_on_fit_task_end(estimator=owner)
        return
    context._propagation_depth -= 1
    with context.propagate_callback_context(part):
        yield


def _announcement(context: CallbackContext, *, numbered: bool) -> str:
    """Return the name of a part and its estimator, and its number among all parts if known."""
    number, total = context.task_id + 1, context.parent.max_subtasks
    of_all = f" ({number} of {total})" if numbered and total and total > 1 else ""
    return f"{context.estimator_name}: {context.task_name}{of_all}"
