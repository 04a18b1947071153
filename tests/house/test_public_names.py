"""Public names: listed, sorted, there, and described down to each parameter."""

import importlib
import inspect
from types import ModuleType

import pytest
from house.described import described
from house.modules import ROOMS, module_names, module_path
from sklearn.base import BaseEstimator

import segclf

# Methods are exported by the top level alone: a line for each here would be a second one.
EXPORTING_ROOMS = [f"segclf.{room}" for room in ROOMS if room != "methods"]
PACKAGES = [name for name in module_names() if module_path(name).name == "__init__.py"]
# A method is a file or a package.
METHODS = sorted(
    {n for n in module_names() if n.startswith("segclf.methods.") and n.count(".") == 2}
)


@pytest.mark.parametrize("room", EXPORTING_ROOMS)
def test_a_room_lists_its_public_names(room):
    module = importlib.import_module(room)
    bound = {name for name, value in vars(module).items() if not isinstance(value, ModuleType)}
    assert {name for name in bound if not name.startswith("_")} == set(module.__all__)


@pytest.mark.parametrize("room", ["segclf", *EXPORTING_ROOMS])
def test_listed_names_exist_and_are_sorted(room):
    module = importlib.import_module(room)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert module.__all__ == sorted(module.__all__, key=_by_kind if room != "segclf" else None)
    assert len(module.__all__) == len(set(module.__all__))


@pytest.mark.parametrize("method", METHODS)
def test_estimators_of_methods_are_public(method):
    defined = {
        name
        for module in module_names()
        if module == method or module.startswith(f"{method}.")
        for name, thing in vars(importlib.import_module(module)).items()
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator)
        if thing.__module__ == module and not name.startswith("_")
    }
    assert defined, f"{method} defines no estimator"
    assert sorted(defined - set(segclf.__all__)) == []


@pytest.mark.parametrize("room", ["segclf", *EXPORTING_ROOMS])
def test_public_names_are_documented(room):
    public = _public_objects(room)
    assert [name for name, thing in public.items() if not _own_docstring(thing)] == []


@pytest.mark.parametrize("room", ["segclf", *EXPORTING_ROOMS])
def test_estimators_describe_every_parameter(room):
    missing = {
        name: sorted(set(thing._get_param_names()) - set(described(thing)))
        for name, thing in _public_objects(room).items()
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator)
    }
    assert {name: parameters for name, parameters in missing.items() if parameters} == {}


@pytest.mark.parametrize("room", ["segclf", *EXPORTING_ROOMS])
def test_described_parameters_exist(room):
    stale = {
        name: sorted(set(described(thing)) - set(inspect.signature(thing).parameters))
        for name, thing in _public_objects(room).items()
        if described(thing)
    }
    assert {name: parameters for name, parameters in stale.items() if parameters} == {}


@pytest.mark.parametrize("room", ["segclf", *EXPORTING_ROOMS])
def test_functions_describe_all_parameters_or_none(room):
    missing = {
        name: sorted(set(inspect.signature(thing).parameters) - set(described(thing)))
        for name, thing in _public_objects(room).items()
        if inspect.isfunction(thing) and described(thing)
    }
    assert {name: parameters for name, parameters in missing.items() if parameters} == {}


def _public_objects(room):
    module = importlib.import_module(room)
    public = {name: getattr(module, name) for name in module.__all__}
    return {
        name: thing
        for name, thing in public.items()
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }


def _own_docstring(thing):
    """Docstring written for this very object; a dataclass invents its signature for want of one."""
    written = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    return written and not written.startswith(f"{thing.__name__}(")


def _by_kind(name):
    """The order that ruff keeps in `__all__`: CONSTANTS, Classes, functions."""
    return (not name.isupper(), not name[0].isupper(), name)
