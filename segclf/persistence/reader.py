"""Build estimators from JSON values and arrays; the inverse of the writer."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from segclf.persistence.forms import FORMS
from segclf.persistence.trees import check_trees
from segclf.persistence.writer import REQUESTS

# The tags that come with a class name.
CLASSES = ("$estimator", "$object", "$class", "$trusted")
# Parameters that name a folder that a fit would read and write.
FOLDERS = {"checkpoint", "memory"}
# Maximum length of a text in an array, in bytes: shorter ones may be padded.
_SHORT = 1024


def named_classes(value: Any) -> Iterator[str]:
    """Yield the name of every class in a JSON value, before anything is built from it."""
    if isinstance(value, list):
        for item in value:
            yield from named_classes(item)
    elif isinstance(value, dict):
        yield from (str(value[tag]) for tag in CLASSES if tag in value)
        yield from named_classes(list(value.values()))


class Reader:
    """Builds the values that `Writer` wrote.

    Parameters
    ----------
    arrays : mapping of array
        The arrays, named by their places.
    classes : mapping of type
        The classes that may be built, by name.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], classes: Mapping[str, type[Any]]):
        self._arrays = arrays
        self._classes = classes
        self._made: dict[int, Any] = {}

    def estimator(self, written: dict[str, Any]) -> Any:
        """Call the constructor, then fill in what was learned."""
        parameters = self.read(written["parameters"])
        for name in FOLDERS & parameters.keys():  # folders of the machine that saved it
            parameters[name] = None
        made = self._classes[written["$estimator"]](**parameters)
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
        _check_attributes(learned, type(owner))
        if "requests" in written:
            learned[REQUESTS] = _requests(written["requests"], owner)
        return learned

    def read(self, value: Any) -> Any:
        """Return the value that was written.

        Raises
        ------
        ValueError
            For a form that this version does not write.
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
        values, dtype = self.read(written["values"]), np.dtype(written["dtype"])
        longest = max((len(value) for value in values if isinstance(value, str)), default=0)
        if dtype.kind not in "OU" or dtype.itemsize > max(_SHORT, 4 * longest):
            raise ValueError(f"Texts of at most {longest} characters as {dtype}.")
        texts = np.empty(len(values), dtype=dtype)
        for index, value in enumerate(values):
            texts[index] = value
        return texts.reshape(written["shape"])


def _check_attributes(learned: dict[str, Any], kind: type[Any]) -> None:
    """Refuse attributes that no fit sets: names of code of the class, or of Python's own.

    Raises
    ------
    ValueError
        The message names it.
    """
    for name in learned:
        own = inspect.getattr_static(kind, name, None)
        is_code = callable(own) or isinstance(own, property | classmethod | staticmethod)
        is_code &= name not in getattr(kind, "__dataclass_fields__", ())
        if not name.isidentifier() or name.startswith("__") or is_code:
            raise ValueError(f"{kind.__name__} does not learn an attribute {name!r}.")


def _requests(written: dict[str, dict[str, Any]], owner: Any) -> MetadataRequest:
    requests = MetadataRequest(owner=owner)
    for method, asked in written.items():
        for parameter, alias in asked.items():
            getattr(requests, method).add_request(param=parameter, alias=alias)
    return requests
