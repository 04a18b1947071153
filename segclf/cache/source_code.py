"""Digests of source files, so that results of older code are not used for new code.

They are computed when first needed: after a change of the code, restart Python.
"""

import functools
import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segclf.registry import list_plugins

# Distributions that affect results: their versions stand for their code.
_LIBRARIES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "joblib": "joblib",
    "numpy": "numpy",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "sklearn": "scikit-learn",
    "timm": "timm",
    "torch": "torch",
    "torchvision": "torchvision",
}
_CODE = {".py", ".so", ".pyd"}


@functools.cache
def installed_code() -> str:
    """Return a digest of segclf, of all plugins, and of the versions of these libraries."""
    plugins = sorted(f"{each.id} {each.version} {each.target}" for each in list_plugins())
    modules = {plugin.rpartition(" ")[2].partition(":")[0] for plugin in plugins}
    installed = (module for module in sorted(modules) if _files(_package(module)))
    known = ["segclf", *installed, *_LIBRARIES, "builtins"]
    return _joined([*plugins, *(code_of_module(module) for module in known)])


def code_of(thing: Any) -> str:
    """Return the name of a class or function, with a digest of its code.

    Raises
    ------
    TypeError
        If a change of its code could not be detected: for a lambda, an object defined within a
        function, and one defined in a session without a file.
    """
    name = f"{thing.__module__}:{thing.__qualname__}"
    if "<" in name:
        raise TypeError(f"{name} is defined within a function")
    modules = {each.__module__ for each in getattr(thing, "__mro__", [thing])}
    return _joined([name, *(code_of_module(module) for module in sorted(modules))])


@functools.cache
def code_of_module(module: str) -> str:
    """Return a digest of the package of a module; for Python and libraries, the version.

    Raises
    ------
    TypeError
        If there is no file.
    """
    package = _package(module)
    if package in sys.stdlib_module_names and package != "__main__":
        return f"{package} {sys.version}"
    if package in _LIBRARIES:
        return f"{package} {_version(_LIBRARIES[package])}"
    files = sorted(_files(package) or _files(module))
    if not files:
        raise TypeError(f"the module {module} has no file")
    return _joined(f"{path} {_hash(path.read_bytes())}" for path in files)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # OpenCV has four distributions
        return "of unknown version"


def _files(module: str) -> list[Path]:
    """List the files of a package and its subpackages, or the one file of a module."""
    loaded: Any = sys.modules.get(module)
    try:
        spec: Any = getattr(loaded, "__spec__", None) or find_spec(module)
    except (ImportError, ValueError):  # for example a script, which is __main__
        spec = None
    folders = getattr(spec, "submodule_search_locations", None)
    if folders:
        return [p for folder in folders for p in Path(folder).rglob("*") if p.suffix in _CODE]
    file = getattr(loaded, "__file__", None) or getattr(spec, "origin", None)
    return [Path(file)] if file and Path(file).is_file() else []


def _joined(parts: Iterable[str]) -> str:
    return _hash("\n".join(parts).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
