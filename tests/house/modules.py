"""What the house checks look at: every source file of ours, and its parsed tree."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(path.parent.name for path in ROOT.glob("segclf/*/__init__.py"))


def source_files():
    """All Python files of the core and of the plugins, without what a build left behind."""
    found = [*ROOT.glob("segclf/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    return sorted(path for path in found if "build" not in path.relative_to(ROOT).parts)


def module_names():
    """Dotted names of all importable modules, `__main__` left out because importing it runs it."""
    packages = [(ROOT, "segclf"), (ROOT / "plugins", "segclf_plugins")]
    files = [
        path.relative_to(top) for top, name in packages for path in top.glob(f"{name}/**/*.py")
    ]
    dotted = (".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files)
    return sorted(name for name in dotted if not name.endswith("__main__"))


def module_path(name):
    """File of a module of `module_names`."""
    top = ROOT / "plugins" if name.startswith("segclf_plugins") else ROOT
    folder = top.joinpath(*name.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path, node):
    """`file:line`, as editors open it."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"
