"""From JSON values and arrays to estimators; the inverse of the writer."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from segclf.persistence.forms import FORMS
from segclf.persistence.trees import check_trees
from segclf.persistence.writer import REQUESTS

# The tags beside which a class is named.
CLASSES = ("$estimator", "$object", "$class", "$trusted")


def named_classes(value: Any) -> Iterator[str]:
    """Yield the name of every class in a JSON value, before anything is built of it."""
    if isinstance(value, list):
        for item in value:
            yield from named_classes(item)
    elif isinstance(value, dict):
        yield from (str(value[tag]) for tag in CLASSES if tag in value)
        yield from named_classes(list(value.values()))


class Reader:
    """Builds what `Writer` wrote.

    Parameters
    ----------
    arrays : mapping of array
        The arrays, named for their places.
    classes : mapping of type
        The classes that may be built, by name.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], classes: Mapping[str, type[Any]]):
        self._arrays = arrays
        self._classes = classes
        self._made: dict[int, Any] = {}

    def estimator(self, written: dict[str, Any]) -> Any:
        """Call the constructor, then fill in what was learned."""
        made = self._classes[written["$estimator"]](**self.read(written["parameters"]))
        learned = self._attributes(written, made)
        if hasattr(made, "__setstate__"):
            made.__setstate__(learned)
        else:
            vars(made).update(learned)
        check_trees(made)
        self._made[written.get("number", -1)] = made
        return made

    def _object(self, written: dict[str, Any]) -> Any:
        kind: Any = self._classes[written["$object"]]
        made = kind.__new__(kind)
        vars(made).update(self._attributes(written, made))
        return made

    def _attributes(self, written: dict[str, Any], owner: Any) -> dict[str, Any]:
        learned = self.read(written["learned"])
        if "requests" in written:
            learned[REQUESTS] = _requests(written["requests"], owner)
        return learned

    def read(self, value: Any) -> Any:
        """Return the value that was written.

        Raises
        ------
        ValueError
            For a form that no writer of this version writes.
        """
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        tag = next((key for key in value if key.startswith("$")), None)
        if tag is None:
            return {key: self.read(item) for key, item in value.items()}
        if tag == "$estimator":
            return self.estimator(value)
        if tag == "$object":
            return self._object(value)
        if tag == "$array":
            return self._array(**{key.strip("$"): item for key, item in value.items()})
        if tag in FORMS:
            return FORMS[tag].together(self.read(value[tag]))
        forms: dict[str, Callable[[Any], Any]] = {
            "$class": self._classes.__getitem__,
            "$dict": lambda pairs: dict(self.read(pairs)),
            "$same": self._made.__getitem__,
            "$texts": self._texts,
            "$trusted": self._classes.__getitem__,
        }
        if tag not in forms:
            raise ValueError(f"No value is written as {tag!r}.")
        return forms[tag](value[tag])

    def _array(self, array: str, columns_first: bool = False) -> NDArray[Any]:
        return np.array(self._arrays[array], order="F" if columns_first else "C")

    def _texts(self, written: dict[str, Any]) -> NDArray[Any]:
        texts = np.empty(len(written["values"]), dtype=written["dtype"])
        for index, value in enumerate(written["values"]):
            texts[index] = self.read(value)
        return texts.reshape(written["shape"])


def _requests(written: dict[str, dict[str, Any]], owner: Any) -> MetadataRequest:
    requests = MetadataRequest(owner=owner)
    for method, asked in written.items():
        for parameter, alias in asked.items():
            getattr(requests, method).add_request(param=parameter, alias=alias)
    return requests
