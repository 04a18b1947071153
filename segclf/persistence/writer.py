"""Convert estimators to JSON values, with their arrays stored separately."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from segclf.persistence.class_names import PLAIN, can_be_imported, class_name
from segclf.persistence.forms import FORMS, NUMBERS, form_of

# Attributes that scikit-learn's callbacks set on an estimator.
SESSION = (
    "_callback_fit_ctx",
    "_parent_callback_ctx",
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
)
REQUESTS = "_metadata_request"
SAVED = "numbers, strings, bytes, paths, arrays, lists, tuples, dicts and estimators"


class Writer:
    """Turns values into JSON; types that JSON lacks become a dict with one key in "$".

    Attributes
    ----------
    arrays : dict of array
        The arrays found so far, named by their places.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        # Kept alive, so that no other object gets the same id.
        self._numbers: dict[int, tuple[int, Any]] = {}

    def write(self, value: Any, place: str) -> Any:
        """Return the JSON form of a value at a place such as "Classifier.segmenter".

        Raises
        ------
        TypeError
            For a value without a JSON form.
        """
        kind = type(value)
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if kind is list:
            return [self.write(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if kind is dict:
            return self._dict(value, place)
        tag = form_of(value)
        if tag is not None:
            return {tag: self.write(FORMS[tag].apart(value), place)}
        if kind in (np.ndarray, np.memmap):
            return self._array(np.asarray(value), place)
        if hasattr(value, "get_params") and not isinstance(value, type):
            return self._estimator(value, place)
        return self._by_name(value, place)

    def _by_name(self, value: Any, place: str) -> dict[str, Any]:
        """Write a class or function by its name."""
        if class_name(type(value)) in PLAIN:
            attributes = self._attributes(dict(vars(value)), place)
            return {"$object": class_name(type(value)), **attributes}
        if isinstance(value, type) and class_name(value) in PLAIN:
            return {"$class": class_name(value)}
        if can_be_imported(value):
            return {"$trusted": class_name(value)}
        raise TypeError(_refusal(value, place))

    def _dict(self, values: dict[Any, Any], place: str) -> dict[str, Any]:
        if all(type(key) is str and not key.startswith("$") for key in values):
            return {key: self.write(value, f"{place}.{key}") for key, value in values.items()}
        return {"$dict": self.write([*values.items()], place)}

    def _array(self, array: NDArray[Any], place: str) -> dict[str, Any]:
        if array.dtype.kind in "OU":
            values = self.write(array.ravel().tolist(), place)
            texts = {"shape": list(array.shape), "dtype": array.dtype.str, "values": values}
            return {"$texts": texts}
        if array.dtype.name not in NUMBERS:
            raise TypeError(f"{place} is an array of {array.dtype}, which a file cannot hold.")
        columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
        native = array.dtype.newbyteorder("=")
        while place in self.arrays:  # {"a.b": x} and {"a": {"b": x}} have the same place
            place += "'"
        self.arrays[place] = np.array(array, dtype=native, order="C", copy=None)
        # Sums of the same numbers in another order can differ in the last bit.
        return {"$array": place, "columns_first": True} if columns_first else {"$array": place}

    def _estimator(self, estimator: Any, place: str) -> dict[str, Any]:
        if id(estimator) in self._numbers:
            return {"$same": self._numbers[id(estimator)][0]}
        number = len(self._numbers)
        self._numbers[id(estimator)] = number, estimator
        parameters = estimator.get_params(deep=False)
        state = dict(estimator.__getstate__() or {})
        learned = {name: value for name, value in state.items() if name not in parameters}
        return {
            "$estimator": class_name(type(estimator)),
            "number": number,
            "parameters": self.write(parameters, place),
            **self._attributes(learned, place),
        }

    def _attributes(self, attributes: dict[str, Any], place: str) -> dict[str, Any]:
        requests = attributes.pop(REQUESTS, None)
        learned = {name: value for name, value in attributes.items() if name not in SESSION}
        written = {"learned": self.write(learned, place)}
        return written if requests is None else {**written, "requests": _requests(requests)}


def _requests(requests: MetadataRequest) -> dict[str, dict[str, Any]]:
    """List the metadata that each method requests, as set by ``set_fit_request`` and the like."""
    methods = {name: part.requests for name, part in vars(requests).items() if name != "owner"}
    return {name: dict(asked) for name, asked in methods.items() if asked}


def _refusal(value: Any, place: str) -> str:
    kind = type(value)
    if callable(value):
        name = getattr(value, "__qualname__", kind.__qualname__)
        return (
            f"{place} is code ({name}), which a file cannot hold: use one of the names that this "
            "parameter accepts, or set it to one before saving and to your own after loading."
        )
    hint = " skops.io.dump saves more of scikit-learn's." if "sklearn" in kind.__module__ else ""
    return f"{place} is a {kind.__module__}.{kind.__qualname__}; a file holds {SAVED}.{hint}"
