"""Digests of parameters, data and code, which tell whether anything has changed."""

import copyreg
import hashlib
import os
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.cache.source_code import code_of, code_of_module, installed_code
from segclf.data import Images, Masks, StoredImages
from segclf.data.dataset_rows import DatasetRows
from segclf.data.found_readers import files_behind

# Attributes that scikit-learn's callbacks set on an estimator.
_SESSION = {
    "_callback_fit_ctx",
    "_parent_callback_ctx",
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
}
# Names that do not affect results: parameters, and the history, which includes times.
_NOT_COUNTED = {"checkpoint", "checkpoint_every", "memory", "verbose", "history_"}


def digest(*values: Any) -> str:
    """Return a digest of values and of the installed code.

    Equal digests mean equal results: every bit counts. For estimators these are their parameters,
    what they learned and the code of their classes; for files their bytes. A string that names a
    file stands for that file. Callbacks, histories and the parameters ``checkpoint``,
    ``checkpoint_every``, ``memory`` and ``verbose`` do not count.

    Parameters
    ----------
    *values : object
        Numbers, strings, paths, arrays, tensors, containers, estimators, functions in modules, and
        anything else that can be pickled.

    Returns
    -------
    str
        40 hexadecimal digits.

    Raises
    ------
    TypeError
        For a value that cannot be identified in a later run, such as a lambda.

    Examples
    --------
    >>> import numpy as np
    >>> digest([1, 2.0], np.eye(3)) == digest([1, 2.0], np.eye(3))
    True
    >>> digest(np.eye(3)) == digest(np.eye(3, dtype=np.float32))
    False
    """
    found = _Digest()
    try:
        found.add([installed_code(), *values])
    except (RecursionError, TypeError) as error:
        raise TypeError(
            f"memory cannot tell whether a value has changed: {error}. Expected values that can "
            "be pickled, and functions and classes in modules; or set memory=None."
        ) from error
    return found.hexdigest()


def learned(estimator: Any) -> dict[str, Any]:
    """Return what a fitted estimator learned, as plain data for its ``__setstate__``.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.cache import learned
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> learned(segmenter.fit(shapes.images, shapes.masks))["n_classes_"]
    2
    """
    left_out = {*estimator.get_params(deep=False), "_sklearn_version"}
    return {name: value for name, value in _state(estimator).items() if name not in left_out}


def _state(estimator: Any) -> dict[str, Any]:
    state = dict(estimator.__getstate__() or {})
    return {name: value for name, value in state.items() if name not in _SESSION}


class _Digest:
    """Hashes values one after another, each with its kind, so that they cannot be confused."""

    def __init__(self) -> None:
        self._hash = hashlib.sha1(usedforsecurity=False)
        self.hexdigest = self._hash.hexdigest

    def add(self, value: Any) -> None:
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            self._mark(value)
        elif isinstance(value, str | os.PathLike):
            self._add_text(os.fspath(value))
        elif isinstance(value, torch.Tensor):
            values = value.detach().cpu().contiguous()
            self._mark("tensor", values.dtype, tuple(values.shape))
            self._hash.update(values.reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, np.ndarray):
            self._add_array(value)
        elif isinstance(value, DatasetRows | Images | Masks | StoredImages):
            known = getattr(value, "n_classes", None), getattr(value, "multilabel", None)
            self._add_items(known, (value[index] for index in range(len(value))))
        elif isinstance(value, list | tuple):
            self._add_items(type(value), value)
        elif isinstance(value, Mapping):
            self._add_items("mapping", sorted(value.items(), key=lambda item: repr(item[0])))
        elif isinstance(value, set | frozenset):
            self._add_items("set", sorted(digest(each) for each in value))
        else:
            self._add_object(value)

    def _add_object(self, value: Any) -> None:
        if isinstance(value, type | FunctionType):
            self._mark(code_of(value))
            return
        if hasattr(value, "get_params"):
            self._mark(code_of(type(value)))
            state = _state(value)
            self.add({name: state[name] for name in state if name not in _NOT_COUNTED})
        elif hasattr(value, "__array__"):
            self._add_array(np.asarray(value))
        else:
            self._add_pickled(value)

    def _add_pickled(self, value: Any) -> None:
        """Add what pickle would write: the name of an object in a module, or class and state."""
        special = copyreg.dispatch_table.get(type(value))
        reduced = value.__reduce_ex__(4) if special is None else special(value)
        if isinstance(reduced, str):
            module = getattr(value, "__module__", None) or "builtins"
            self._mark(module, reduced, code_of_module(module))
        else:
            self._mark(code_of(type(value)))
            self.add(reduced)

    def _add_text(self, text: str | bytes) -> None:
        self._mark(text)
        for path in files_behind(os.fsdecode(text)):
            with open(path, "rb") as file:
                self._mark(hashlib.file_digest(file, "sha1").hexdigest())

    def _add_array(self, array: NDArray[Any]) -> None:
        self._mark("array", array.dtype.str, array.shape)
        if array.dtype.hasobject:
            self._add_items("objects", array.reshape(-1).tolist())
        elif array.flags.c_contiguous:
            self._hash.update(array.reshape(-1).view(np.uint8).data)
        else:
            for row in array:
                self._hash.update(np.ascontiguousarray(row).reshape(-1).view(np.uint8).data)

    def _add_items(self, kind: Any, items: Iterable[Any]) -> None:
        self._mark(kind)
        for item in items:
            self.add(item)
        self._mark("end")

    def _mark(self, *what: Any) -> None:
        self._hash.update(f"{[(type(each).__name__, each) for each in what]!r}\n".encode())
