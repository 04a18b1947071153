"""Parameters, attributes and results of public names, and of plugins, are described in words."""

import inspect
import re

import pytest
from house.described import sections, texts
from house.test_estimators import ESTIMATORS
from house.test_examples import THINGS, is_made_by_another

NAMES = {**THINGS, **{kind: kind.__name__ for kind in ESTIMATORS if kind not in THINGS}}
FUNCTIONS = {thing: name for thing, name in NAMES.items() if inspect.isfunction(thing)}
CLASSES = {thing: name for thing, name in NAMES.items() if inspect.isclass(thing)}
SECTIONS = ("Parameters", "Attributes")
RESULT = re.compile(r"\b(?:[Rr]eturns?|[Yy]ields?|Tell|Raise)\b")


def parameters(thing):
    """Names of parameters; none of classes that nobody calls by name."""
    if inspect.isclass(thing) and (
        issubclass(thing, Exception) or inspect.isabstract(thing) or is_made_by_another(thing)
    ):
        return []
    given = inspect.signature(thing).parameters.values()
    return [each.name for each in given if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def is_described(thing, name):
    """In a section, with words; or where there is none for it, by its name in the text."""
    said = {key: text for section in SECTIONS for key, text in texts(thing, section).items()}
    if name in said:
        return bool(said[name])
    return re.search(rf"\b{name}\b", inspect.getdoc(thing) or "") is not None


def test_parameters_have_text():
    missing = {
        name: [each for each in parameters(thing) if not is_described(thing, each)]
        for thing, name in NAMES.items()
        if not getattr(thing, "_is_protocol", False)
    }
    assert {name: found for name, found in missing.items() if found} == {}


def test_attributes_have_text():
    missing = {
        name: [each for each, text in texts(thing, "Attributes").items() if not text]
        for thing, name in CLASSES.items()
    }
    assert {name: found for name, found in missing.items() if found} == {}


def test_functions_say_what_they_return():
    missing = [
        name
        for thing, name in FUNCTIONS.items()
        if inspect.signature(thing).return_annotation not in (None, "None")
        and "Iterator[None]" not in str(inspect.signature(thing).return_annotation)
        and not {"Returns", "Yields"} & sections(thing).keys()
        and not RESULT.search(inspect.getdoc(thing) or "")
    ]
    assert missing == []


@pytest.mark.parametrize("section", ["Returns", "Yields"])
def test_results_have_text(section):
    empty = [n for t, n in FUNCTIONS.items() if sections(t).get(section, "-").strip() == ""]
    assert empty == []
