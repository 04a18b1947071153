"""Every public name has an example: its own, or that of what makes it or derives from it."""

import dataclasses
import importlib
import inspect

import pytest
from house.described import sections
from house.modules import ROOMS

from segclf.base import Estimator

MODULES = ["segclf", *(f"segclf.{room}" for room in ROOMS)]


def public_things():
    """All public classes and functions, each once, by the first name that leads to it."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            thing = getattr(module, public)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, f"{name}.{public}")
    return found


THINGS = public_things()
WITH_EXAMPLE = {thing for thing in THINGS if "Examples" in sections(thing)}


def is_record(thing):
    """A named tuple or a dataclass of ours is what functions return, or take."""
    return issubclass(thing, tuple) or (
        dataclasses.is_dataclass(thing) and not issubclass(thing, Estimator)
    )


def is_derived_from(thing):
    """Abstract classes, and bases of public ones, have the examples of those that derive."""
    others = (each for each in THINGS if inspect.isclass(each) and each is not thing)
    is_protocol = getattr(thing, "_is_protocol", False)
    return inspect.isabstract(thing) or is_protocol or any(issubclass(o, thing) for o in others)


def is_made_by_another(thing):
    """Tell whether a public function with an example says that it returns such an object."""
    functions = (each for each in WITH_EXAMPLE if inspect.isfunction(each))
    returned = (str(inspect.signature(each).return_annotation) for each in functions)
    return any(thing.__name__ in each for each in returned)


def needs_example(thing):
    if inspect.isfunction(thing):
        return True
    return not (
        issubclass(thing, Exception)
        or is_record(thing)
        or is_derived_from(thing)
        or is_made_by_another(thing)
    )


@pytest.mark.parametrize("module", MODULES)
def test_public_names_without_example(module):
    names = {name: thing for thing, name in THINGS.items() if name.startswith(f"{module}.")}
    own = {name: thing for name, thing in names.items() if name.rpartition(".")[0] == module}
    missing = [name for name, each in own.items() if needs_example(each)]
    assert [name for name in missing if own[name] not in WITH_EXAMPLE] == []


def test_what_is_looked_at():
    """The exceptions are few."""
    needed = [thing for thing in THINGS if needs_example(thing)]
    assert len(needed) > 200
    assert len(THINGS) - len(needed) < 150
