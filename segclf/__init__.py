"""Classify images through their segmentation.

The public names are the lines of `__init__.pyi` beside this file, one name per line. Type checkers
and editors read that file directly. At run time a name is imported on its first use (PEP 562), so
``import segclf`` loads neither torch nor scikit-learn.
"""

import ast
import importlib
import pathlib

__version__ = "0.2.0"


def _read_stub() -> dict[str, str]:
    """Map each public name to the module that defines it; a subpackage maps to segclf itself."""
    stub = ast.parse(pathlib.Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


_HOMES = _read_stub()
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'segclf' has no attribute {name!r}")
    if _HOMES[name] == __name__:
        return importlib.import_module(f"{__name__}.{name}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
