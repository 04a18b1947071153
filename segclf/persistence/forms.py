"""Values of estimators that JSON does not support, except arrays, and how they are written."""

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import sklearn._loss
import sklearn.metrics
from numpy.typing import NDArray
from scipy.stats._distn_infrastructure import rv_frozen
from sklearn.tree._tree import Tree
from sklearn.utils import Bunch

import segclf.metrics
from segclf.persistence.trees import tree_as_values, tree_of_values

METRICS = {"segclf": segclf.metrics, "sklearn": sklearn.metrics}
# The number types that safetensors holds and numpy reads back.
NUMBERS = {"bool", "float16", "float32", "float64", "complex64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
LOSSES = {
    "AbsoluteError",
    "ExponentialLoss",
    "HalfBinomialLoss",
    "HalfGammaLoss",
    "HalfMultinomialLoss",
    "HalfPoissonLoss",
    "HalfSquaredError",
}


class Form(NamedTuple):
    """How a kind of value is written.

    Parameters
    ----------
    fits : callable
        Whether a value is of this kind.
    apart : callable
        Converts the value to values that can be written.
    together : callable
        Converts them back.
    """

    fits: Callable[[Any], bool]
    apart: Callable[[Any], Any]
    together: Callable[[Any], Any]


def form_of(value: Any) -> str | None:
    """Return the tag of the form of a value, if it has one."""
    return next((tag for tag, form in FORMS.items() if form.fits(value)), None)


def _records_apart(array: NDArray[Any]) -> dict[str, Any]:
    fields: Any = array.dtype.fields
    layout = {
        "names": list(fields),
        "formats": [fields[name][0].str for name in fields],
        "offsets": [fields[name][1] for name in fields],
        "itemsize": array.dtype.itemsize,
    }
    return {"layout": layout, "columns": [np.array(array[name]) for name in fields]}


def _records_together(written: dict[str, Any]) -> NDArray[Any]:
    columns = written["columns"]
    records = np.zeros(columns[0].shape, dtype=np.dtype(written["layout"]))
    for name, column in zip(written["layout"]["names"], columns, strict=True):
        records[name] = column
    return records


def _masked_apart(array: Any) -> dict[str, Any]:
    return {"data": array.data, "mask": np.ma.getmaskarray(array), "fill": array.fill_value}


def _masked_together(written: dict[str, Any]) -> Any:
    return np.ma.MaskedArray(written["data"], written["mask"], fill_value=written["fill"])


def _metric_name(value: Any) -> str | None:
    name = getattr(value, "__name__", None)
    if not callable(value) or not isinstance(name, str):
        return None
    owners = (owner for owner, module in METRICS.items() if getattr(module, name, None) is value)
    return next((f"{owner}:{name}" for owner in owners), None)


def _metric(written: str) -> Any:
    owner, _, name = written.partition(":")
    if name not in METRICS[owner].__all__:
        raise ValueError(f"{owner}.metrics has no metric {name!r}.")
    return getattr(METRICS[owner], name)


def _distribution_apart(frozen: Any) -> dict[str, Any]:
    kind = type(frozen.dist)
    names = (name for name in dir(scipy.stats) if type(getattr(scipy.stats, name)) is kind)
    return {"name": next(names), "args": list(frozen.args), "kwds": frozen.kwds}


def _distribution(written: dict[str, Any]) -> Any:
    made = getattr(scipy.stats, written["name"])
    if not isinstance(made, scipy.stats.rv_continuous | scipy.stats.rv_discrete):
        raise ValueError(f"scipy.stats.{written['name']} is not a distribution.")
    return made(*written["args"], **written["kwds"])


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = {"PCG64": np.random.PCG64, "MT19937": np.random.MT19937}[state["bit_generator"]]()
    bits.state = state
    return np.random.Generator(bits)


def _loss_apart(loss: Any) -> dict[str, Any]:
    name = type(loss).__name__
    return {"name": name} | ({"n_classes": loss.n_classes} if "Multinomial" in name else {})


def _loss(written: dict[str, Any]) -> Any:
    if written["name"] not in LOSSES:
        raise ValueError(f"sklearn._loss has no loss {written['name']!r}.")
    sizes = {key: value for key, value in written.items() if key != "name"}
    return getattr(sklearn._loss, written["name"])(**sizes)


def _is_loss(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "sklearn._loss.loss" and kind.__name__ in LOSSES


def _random_state(state: list[Any]) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(tuple(state))
    return made


def _is_scalar(value: Any) -> bool:
    numbers = isinstance(value, np.generic) and value.dtype.name in NUMBERS
    return numbers or type(value) is np.str_


FORMS: dict[str, Form] = {
    "$tuple": Form(lambda value: type(value) is tuple, list, tuple),
    "$float": Form(lambda value: type(value) is float, str, float),  # JSON has finite ones only
    "$scalar": Form(_is_scalar, np.asarray, lambda array: array[()]),
    "$bytes": Form(lambda value: type(value) is bytes, bytes.hex, bytes.fromhex),
    "$path": Form(lambda value: isinstance(value, PurePath), str, Path),
    "$random_state": Form(
        lambda value: type(value) is np.random.RandomState,
        lambda value: list(value.get_state()),
        _random_state,
    ),
    "$tree": Form(lambda value: isinstance(value, Tree), tree_as_values, tree_of_values),
    "$masked": Form(lambda v: type(v) is np.ma.MaskedArray, _masked_apart, _masked_together),
    "$records": Form(
        lambda value: type(value) is np.ndarray and value.dtype.names is not None,
        _records_apart,
        _records_together,
    ),
    "$bunch": Form(lambda value: type(value) is Bunch, dict, lambda written: Bunch(**written)),
    "$metric": Form(lambda value: _metric_name(value) is not None, _metric_name, _metric),
    "$distribution": Form(
        lambda value: isinstance(value, rv_frozen), _distribution_apart, _distribution
    ),
    "$generator": Form(
        lambda value: type(value) is np.random.Generator,
        lambda value: value.bit_generator.state,
        _generator,
    ),
    "$loss": Form(_is_loss, _loss_apart, _loss),
}
