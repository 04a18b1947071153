"""Limits for files from other tools: their size, and the paths that they name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from numbers import Real
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from segclf.files import open_regular, require_inside

__all__ = ["MAX_PIXELS", "as_number", "as_size", "file_inside", "read_bytes", "read_json", "unique"]

#: Largest size of a drawn mask, the same as for images.
MAX_PIXELS = 2**30 // 4 // 3
_MOST_BYTES = 2**30


def read_bytes(path: str | os.PathLike[str], most: int = _MOST_BYTES) -> bytes:
    """Read a file, up to a size limit.

    Parameters
    ----------
    path : str or path-like
    most : int
        Largest size in bytes.

    Raises
    ------
    OSError
        If the file does not exist.
    ValueError
        If it is larger, or not a regular file.
    """
    try:
        with open_regular(os.fspath(path)) as file:
            data = file.read(most + 1)
    except ValueError as error:
        raise ValueError(f"Cannot read {os.fspath(path)!r}: {error}.") from error
    if len(data) > most:
        raise ValueError(f"{os.fspath(path)!r} has more than {most:,} bytes; split it.")
    return data


def read_json(path: str | os.PathLike[str], kind: type[Any] = dict, most: int = _MOST_BYTES) -> Any:
    """Read a JSON file whose outermost value has the given type."""
    data = read_bytes(path, most)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)!r} is not JSON: {error}.") from error
    if not isinstance(found, kind):
        expected = "an object {...}" if kind is dict else "a list [...]"
        raise ValueError(
            f"{os.fspath(path)!r} holds a {type(found).__name__}; expected {expected}."
        )
    return found


def file_inside(folder: str | os.PathLike[str], name: Any, where: str) -> str:
    """Return the path of a file named in an annotation; it must be inside a folder.

    Parameters
    ----------
    folder : str or path-like
    name : object
        The name in the annotation: a relative path, with ``/`` between folders.
    where : str
        Description of the source, for the error message.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the path is absolute, leads out of the folder by ``..`` or a link, or does not exist.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{where}: {name!r} is not a file name.")
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
    if absolute or ".." in name.replace("\\", "/").split("/"):
        raise ValueError(
            f"{where}: {name!r} leads out of {os.fspath(folder)!r}; expected a path inside it."
        )
    path = os.path.join(os.fspath(folder), *PurePosixPath(name).parts)
    try:
        require_inside(path, folder)
    except OSError:
        raise ValueError(
            f"{where}: {name!r} is a link that leads out of {os.fspath(folder)!r}."
        ) from None
    if not os.path.isfile(path):
        raise ValueError(f"{where}: there is no file {path!r}.")
    return path


def as_number(value: Any, where: str) -> float:
    """Return a finite number; raise for text, bool, NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{where} is {value!r:.80}; expected a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where} is {value!r:.80}; expected a finite number.")
    return number


def as_size(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Check the (height, width) of an image, before memory of that size is allocated."""
    sides = [as_number(side, f"{where}: its size") for side in (height, width)]
    if min(sides) < 1 or any(side != int(side) for side in sides):
        raise ValueError(f"{where}: its size is {height!r} x {width!r}; expected whole numbers.")
    if sides[0] * sides[1] > MAX_PIXELS:
        raise ValueError(
            f"{where}: its size is {height} x {width}; expected at most {MAX_PIXELS:,} pixels."
        )
    return int(sides[0]), int(sides[1])


def unique(names: Iterable[str], where: str) -> list[str]:
    """Return the names as a list; raise if a name occurs twice."""
    listed = list(names)
    seen: set[str] = set()
    for name in listed:
        if name in seen:
            raise ValueError(f"{where}: {name!r} occurs twice.")
        seen.add(name)
    return listed
