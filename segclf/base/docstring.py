"""Docstrings in numpydoc's form, completed from those of the base classes."""

import functools
import inspect
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

# The sections of numpydoc; the text before the first one has no title.
ORDER = ("", "Parameters", "Attributes", "Methods", "See Also", "Notes", "References", "Examples")
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)
_ENTRY = re.compile(r"^(?=\S)", re.M)


class Entry(NamedTuple):
    """A description of one or more ``names``; its ``text`` begins with their type."""

    names: tuple[str, ...]
    text: str


def complete_docstring(cls: type[Any], written: str | None, parameters: list[str]) -> str | None:
    """Return the docstring of a class with all parameters, in this order, and all attributes.

    The class's own descriptions take precedence over those of its bases. A class without a
    docstring gets the first paragraphs of its base's. None stays None if nothing is described, as
    under ``python -OO``.
    """
    bases = [base.__doc__ or "" for base in cls.__mro__[1:]]
    first = written if written is not None else _first_paragraphs(bases)
    docstrings = [first, *bases]
    own = read_docstring(first)
    described = _described(docstrings, "Parameters")
    order = [*parameters, *read_entries(own.get("Parameters", ""))]
    attributes = _described(docstrings, "Attributes")
    sections = {
        **own,
        "Parameters": _render(described, order),
        "Attributes": _render(attributes, attributes),
    }
    titles = sorted(sections, key=lambda t: ORDER.index(t) if t in ORDER else len(ORDER))
    whole = ((f"{t}\n{'-' * len(t)}\n" if t else "") + sections[t] for t in titles if sections[t])
    return "\n\n".join(whole) or None


@functools.cache
def read_docstring(docstring: str) -> dict[str, str]:
    """Return the text of each section by its title; the text before the first is at ""."""
    first, *rest = _SECTION.split(inspect.cleandoc(docstring))
    titles, texts = rest[::2], rest[1::2]
    return {"": first.strip(), **{t: s.strip() for t, s in zip(titles, texts, strict=True)}}


@functools.cache
def read_entries(section: str) -> dict[str, Entry]:
    """Return the description of each name in a section like Parameters; entries may share one."""
    entries = {}
    for block in _ENTRY.split(section):
        header, line_break, text = block.partition("\n")
        names, colon, kind = header.partition(" :")
        entry = Entry(tuple(names.split(", ")), colon + kind + line_break + text.rstrip())
        entries.update(dict.fromkeys(entry.names if names else (), entry))
    return entries


def _first_paragraphs(docstrings: Iterable[str]) -> str:
    described = (read_docstring(each) for each in docstrings)
    return next((each[""] for each in described if "Parameters" in each), "")


def _described(docstrings: Iterable[str], title: str) -> dict[str, Entry]:
    """Return the first description of each name in the docstrings."""
    described: dict[str, Entry] = {}
    for docstring in docstrings:
        for name, entry in read_entries(read_docstring(docstring).get(title, "")).items():
            described.setdefault(name, entry)
    return described


def _render(described: dict[str, Entry], order: Iterable[str]) -> str:
    """Write each entry once, in this order, without the names that another entry describes."""
    entries = dict.fromkeys(described[name] for name in order if name in described)
    headers = (", ".join(n for n in entry.names if described[n] is entry) for entry in entries)
    return "\n".join(h + entry.text for h, entry in zip(headers, entries, strict=True))
