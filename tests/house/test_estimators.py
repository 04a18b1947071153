"""A class of parameters repeats nothing, and its help tells all: core, plugins and template."""

import ast
import importlib
import inspect

import pytest
from house.described import described, sections
from house.modules import module_names, parse, place, source_files

from segclf.base import Estimator, NetworkEstimator

MACHINE = ["random_state", "device", "precision", "n_threads", "verbose"]
SECTIONS = ["Parameters", "Attributes", "See Also", "Notes", "Examples"]
FOUND = [
    thing
    for module in module_names()
    for thing in vars(importlib.import_module(module)).values()
    if inspect.isclass(thing) and issubclass(thing, Estimator) and thing.__module__ == module
]
ESTIMATORS = [kind for kind in FOUND if kind is not Estimator]


def by_name(thing):
    return thing.__name__


def parameters(kind):
    return list(inspect.signature(kind).parameters)


def test_all_are_found():
    assert len(ESTIMATORS) >= 40


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_help_describes_every_parameter_once_and_in_order(kind):
    assert described(kind) == parameters(kind)


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_order_is_own_then_training_then_machine(kind):
    names = parameters(kind)
    machine = [name for name in MACHINE if name in names]
    training = [name for name in parameters(NetworkEstimator) if name not in MACHINE]
    training = training if NetworkEstimator in kind.__mro__ else []
    own = [name for name in names if name not in [*training, *machine]]
    assert names == [*own, *training, *machine]


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_help_describes_no_attribute_twice_and_all_of_the_bases(kind):
    attributes = described(kind, "Attributes")
    assert len(attributes) == len(set(attributes))
    inherited = {name for base in kind.__mro__ for name in described(base, "Attributes")}
    assert inherited <= set(attributes)


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_sections_are_in_order(kind):
    titles = list(sections(kind))
    assert titles == [title for title in SECTIONS if title in titles]


@pytest.mark.parametrize("kind", ESTIMATORS, ids=by_name)
def test_constraints_are_of_parameters(kind):
    """A constraint of a misspelled name would check nothing."""
    assert set(kind._parameter_constraints) <= set(parameters(kind))


def test_nobody_repeats_the_constraints_of_a_base():
    spread = [
        place(path, value)
        for path in source_files()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key is None and getattr(value, "attr", "") == "_parameter_constraints"
    ]
    assert spread == []
