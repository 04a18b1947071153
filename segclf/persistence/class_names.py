"""Classes by name, and which names a file may hold."""

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from sklearn.base import BaseEstimator

from segclf.registry import PluginInfo, list_plugins

OURS = ("segclf", "sklearn")
SPLITTERS = (
    *("GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut", "LeaveOneOut"),
    *("LeavePGroupsOut", "LeavePOut", "PredefinedSplit", "RepeatedKFold", "TimeSeriesSplit"),
    *("RepeatedStratifiedKFold", "ShuffleSplit", "StratifiedGroupKFold", "StratifiedKFold"),
    "StratifiedShuffleSplit",
)
# Classes in scikit-learn's and our estimators that are not estimators, stored by attributes.
PLAIN = {
    "segclf:MaskScorer",
    "segclf:MultilabelStratifiedGroupKFold",
    "segclf:SemiSupervisedSplit",
    "sklearn.calibration:_CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor",
    *(
        f"sklearn.metrics._scorer:{name}"
        for name in ("_CurveScorer", "_MultimetricScorer", "_PassthroughScorer", "_Scorer")
    ),
    "sklearn.model_selection._split:_CVIterableWrapper",
    *(f"sklearn.model_selection:{name}" for name in SPLITTERS),
}
# Modules that are scripts, or that tests import.
_NOT_OF_A_LIBRARY = {"conftest", "setup", "test", "tests", "testing"}
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def class_name(cls: type) -> str:
    """Return "package:Class" with the shortest package that exports it, so modules may move."""
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        if getattr(sys.modules.get(package), cls.__name__, None) is cls:
            return f"{package}:{cls.__name__}"
    return f"{cls.__module__}:{cls.__qualname__}"


def can_be_imported(value: Any) -> bool:
    """Tell whether a function or class can be imported by its name; not Python's own."""
    if not isinstance(value, type | FunctionType) or value.__module__ == "builtins":
        return False
    return getattr(sys.modules.get(value.__module__), value.__qualname__, None) is value


def trusted_class(name: str, given: Mapping[str, type], path: Path) -> type[Any]:
    """Import a class that a file names, if it is an estimator from a trusted package.

    Raises
    ------
    ValueError
        If the class is not trusted, or does not exist.
    """
    if name in given:
        return given[name]
    plugins = {plugin.target for plugin in list_plugins() if _may_be_saved(plugin)}
    package = name.partition(":")[0].partition(".")[0]
    packages = {*OURS, *(target.partition(":")[0].partition(".")[0] for target in plugins)}
    if not _NAME.fullmatch(name) or package not in packages:
        raise ValueError(
            f"{path} names the class or function {name!r}. A file may name estimators of segclf, "
            f"of its plugins and of scikit-learn ({', '.join(sorted(packages))}); if you trust "
            f"this one, import it and pass it: load(path, trusted=[{name.rpartition(':')[2]}])."
        )
    module, _, attribute = name.partition(":")
    if not (name in PLAIN or _may_be_imported(module, plugins)):
        raise ValueError(
            f"{path} names {name!r}, in a module without public estimators; it is not imported."
        )
    if attribute.startswith("Halving"):
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (AttributeError, ImportError) as error:
        raise ValueError(f"{path} names {name!r}, which does not exist: {error}") from error
    kinds = issubclass(found, BaseEstimator) if isinstance(found, type) else False
    if kinds or name in plugins or name in PLAIN:
        return found
    raise ValueError(
        f"{path} names {name!r}, which is not an estimator; if you trust it, import it and pass "
        f"it: load(path, trusted=[{attribute}])."
    )


def _may_be_saved(plugin: PluginInfo) -> bool:
    return plugin.state != "broken" and plugin.kind != "reader"  # no estimator holds a reader


def _may_be_imported(module: str, plugins: set[str]) -> bool:
    """Tell whether importing a module runs no more code than using a library or plugin does.

    A plugin's class is named by the shortest package that exports it, which contains its module.
    Other modules must be imported already.
    """
    package, *inner = module.split(".")
    if package in OURS:
        return not any(each.startswith("__") or each in _NOT_OF_A_LIBRARY for each in inner)
    modules = {target.partition(":")[0] for target in plugins}
    return module in sys.modules or any(f"{each}.".startswith(f"{module}.") for each in modules)
