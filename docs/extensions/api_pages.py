"""Write a page for each public name before Sphinx reads, as ``api/segclf.ImageClassifier.rst``."""

import importlib
import inspect
import re
from pathlib import Path

import make_reference
from sphinx.application import Sphinx

PAGE = """\
{title}
{line}

.. currentmodule:: {module}

.. auto{kind}:: {name}
{examples}"""
EXAMPLES = """
Examples that use it
--------------------

.. include:: examples/{full}.examples

.. raw:: html

    <div class="sphx-glr-clear"></div>
"""


def write_pages(app: Sphinx) -> None:
    """Write the pages that changed, and remove those of names that no longer exist."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {f"{full}.rst": _page(full) for full in public_names()}
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public_names() -> list[str]:
    """Return the public classes and functions, each with the first module that exports it."""
    named = {}
    for module in make_reference.public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                named.setdefault(inspect.unwrap(thing), f"{module.__name__}.{name}")
    return sorted(named.values())


def _page(full: str) -> str:
    module, _, name = full.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
    else:
        kind = "function"
    examples = EXAMPLES.format(full=full)
    return PAGE.format(
        title=full, line="=" * len(full), module=module, kind=kind, name=name, examples=examples
    )


def link_pages(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]):
    """Turn references such as "see docs/resume.md" in docstrings into links."""
    for i, line in enumerate(lines):
        lines[i] = re.sub(r"`*\bdocs/([\w/]+)\.md\b`*", r":doc:`/\1`", line)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages, priority=400)  # before the gallery's
    app.connect("autodoc-process-docstring", link_pages, priority=400)  # before numpydoc's
    return {"parallel_read_safe": True, "parallel_write_safe": True}
