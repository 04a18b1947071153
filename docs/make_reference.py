"""Write docs/reference.md (every public name) and docs/parameters.md (all parameters)."""

import importlib
import inspect
import re
from pathlib import Path
from types import GenericAlias

from segclf import registry
from segclf.base import Estimator
from segclf.base.docstring import read_docstring, read_entries

ROOT = Path(__file__).resolve().parents[1]
INTRODUCTION = """\
<!-- Written by docs/make_reference.py. Change the docstrings, then run it. -->
# Reference

Every public name, with a link to the file whose docstring describes it; `help(segclf.<name>)` shows
the same text. The parameters of estimators are on their own page: [parameters](parameters.md).
"""
PARAMETERS = """\
<!-- Written by docs/make_reference.py. Change the docstrings, then run it. -->
# Parameters

All parameters of all estimators, with their defaults. A parameter that several classes share is
described once, at their base class; `help(segclf.<name>)` describes all parameters of one class.
Plugins come last, with their registered names.
"""


def render():
    """The whole page, as text."""
    return "\n".join([INTRODUCTION, *(_table(module) for module in public_modules())])


def public_modules():
    """Return the modules with public names: the package and its subpackages that export some."""
    rooms = sorted(f"segclf.{path.parent.name}" for path in ROOT.glob("segclf/*/__init__.py"))
    modules = [importlib.import_module(name) for name in ["segclf", *rooms]]
    return [module for module in modules if getattr(module, "__all__", None)]


def _table(module):
    summary = "" if module.__name__ == "segclf" else f"{_first_line(module)}\n\n"
    rows = [_row(name, getattr(module, name)) for name in module.__all__]
    header = "| name | what it is |\n|---|---|\n"
    return f"## {module.__name__}\n\n{summary}{header}" + "".join(rows)


def _row(name, thing):
    return f"| {_link(name, thing)} | {_what(name, thing)} |\n"


def _what(name, thing):
    if name.isupper():
        return ", ".join(f"`{getattr(entry, '__name__', entry)}`" for entry in thing)
    if isinstance(thing, GenericAlias):
        return f"`{thing}`"
    if name.endswith("Like"):
        return _comment(name)
    return _first_line(thing).replace("|", "\\|")


def _link(name, thing):
    if not (inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isfunction(thing)):
        return f"`{name}`"
    file = Path(inspect.getsourcefile(inspect.unwrap(thing))).resolve()
    return f"[`{name}`](../{file.relative_to(ROOT).as_posix()})"


def _comment(name):
    """Return the first line of the comment above a type alias, which has no docstring."""
    text = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("segclf/*/*.py"))
    return re.search(rf"\n\n#: (.*)\n(?:#: .*\n)*{name}: TypeAlias", text)[1]


def _first_line(thing):
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def render_parameters():
    """Return the text of the parameters page: base classes, then estimators, then plugins."""
    kinds = sorted(_estimators("segclf.base"), key=lambda kind: len(kind.__mro__))
    titles = {kind: kind.__name__ for kind in [*kinds, *_estimators("segclf")]}
    for plugin in registry.list_plugins():
        if plugin.distribution == "segclf":
            kind = registry.load_plugin(plugin.kind, plugin.id)
            titles[kind] = f'{kind.__name__}, {plugin.kind} "{plugin.name}"'
    return "\n".join([PARAMETERS, *(_estimator(kind, titles) for kind in titles)])


def _estimators(room):
    module = importlib.import_module(room)
    public = [getattr(module, name) for name in module.__all__]
    classes = [thing for thing in public if inspect.isclass(thing) and issubclass(thing, Estimator)]
    return [kind for kind in classes if inspect.signature(kind).parameters]


def _estimator(kind, titles):
    """Return a table of the parameters described only here, and a line for each base class."""
    entries = _entries(kind)
    homes = {name: _home(kind, name, titles) for name in entries}
    own = dict.fromkeys(entry for name, entry in entries.items() if homes[name] is kind)
    rows = [_parameter_row(kind, entry) for entry in own]
    header = ["| parameter | default | what it is |", "|---|---|---|"] if rows else []
    lines = [
        f"From [{home.__name__}](#{_anchor(titles[home])}): {_defaults(kind, names)}.\n"
        for home in dict.fromkeys(homes.values())
        if home is not kind and (names := [name for name in homes if homes[name] is home])
    ]
    table = "\n".join([*header, *rows, ""])
    parts = [f"## {titles[kind]}\n", f"{_first_line(kind)}\n", table, *lines]
    return "\n".join(part for part in parts if part)


def _entries(kind):
    return read_entries(read_docstring(kind.__doc__).get("Parameters", ""))


def _home(kind, name, titles):
    """Return the most general class on the page with the same description of the parameter."""
    entry = _entries(kind)[name]
    bases = [base for base in kind.__mro__ if base in titles]
    return [base for base in bases if _entries(base).get(name) == entry][-1]


def _parameter_row(kind, entry):
    type_, _, text = entry.text.removeprefix(" : ").partition("\n")
    names = ", ".join(f"`{name}`" for name in entry.names)
    type_ = type_.partition(", default=")[0]
    what = " ".join(f"{type_}. {text}".split()).replace("|", "\\|")
    return f"| {names} | {', '.join(_default(kind, name) for name in entry.names)} | {what} |"


def _defaults(kind, names):
    return ", ".join(f"`{name}={_default(kind, name).strip('`')}`" for name in names)


def _default(kind, name):
    default = inspect.signature(kind).parameters[name].default
    return "" if default is inspect.Parameter.empty else f"`{default!r}`"


def _anchor(title):
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


if __name__ == "__main__":
    (ROOT / "docs" / "reference.md").write_text(render(), encoding="utf-8")
    (ROOT / "docs" / "parameters.md").write_text(render_parameters(), encoding="utf-8")
