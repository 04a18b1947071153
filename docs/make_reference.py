"""Write docs/reference.md: every public name, and the first sentence of its docstring."""

import importlib
import inspect
from pathlib import Path
from types import GenericAlias

ROOT = Path(__file__).resolve().parents[1]
INTRODUCTION = """\
<!-- Written by docs/make_reference.py. Change the docstrings, then run it. -->
# Reference

Every public name, with a link to the file whose docstring describes it; `help(segclf.<name>)` shows
the same text.
"""


def render():
    """The whole page, as text."""
    rooms = sorted(f"segclf.{path.parent.name}" for path in ROOT.glob("segclf/*/__init__.py"))
    modules = [importlib.import_module(name) for name in ["segclf", *rooms]]
    tables = [_table(module) for module in modules if getattr(module, "__all__", None)]
    return "\n".join([INTRODUCTION, *tables])


def _table(module):
    summary = "" if module.__name__ == "segclf" else f"{_first_line(module)}\n\n"
    rows = [_row(name, getattr(module, name)) for name in module.__all__]
    header = "| name | what it is |\n|---|---|\n"
    return f"## {module.__name__}\n\n{summary}{header}" + "".join(rows)


def _row(name, thing):
    return f"| {_link(name, thing)} | {_what(name, thing)} |\n"


def _what(name, thing):
    if name.isupper():
        return ", ".join(f"`{entry}`" for entry in thing)
    if isinstance(thing, GenericAlias):
        return f"`{thing}`"
    return _first_line(thing).replace("|", "\\|")


def _link(name, thing):
    if not (inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isfunction(thing)):
        return f"`{name}`"
    file = Path(inspect.getsourcefile(inspect.unwrap(thing))).resolve()
    return f"[`{name}`](../{file.relative_to(ROOT).as_posix()})"


def _first_line(thing):
    return (inspect.getdoc(thing) or "").partition("\n")[0]


if __name__ == "__main__":
    (ROOT / "docs" / "reference.md").write_text(render(), encoding="utf-8")
