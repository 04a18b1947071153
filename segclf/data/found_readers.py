"""Find the reader of a file: by the suffix of its name, else by its first bytes."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from segclf.data.channel_files import ChannelReader, channel_files
from segclf.hookspecs import Reader
from segclf.registry import PluginInfo, list_plugins, make_plugin

__all__ = [
    "FoundReader",
    "files_behind",
    "files_in_folder",
    "find_reader",
    "has_known_suffix",
    "split_slice",
]

#: The name of a file.
Path = str | os.PathLike[str]
_SLICE = re.compile(r"(.*)\[z=(\d+)\]", re.DOTALL)
_MOST_DOTS = 3  # of a suffix
_START = 1024


class FoundReader(NamedTuple):
    """The reader of a file, and what to read of it.

    Attributes
    ----------
    reader : Reader
    path : str, or list of str
        The file without the number of a slice; or the files of one volume, or one for each channel.
    z : int or None
        The slice that ``path[z=3]`` names.
    """

    reader: Reader
    path: str | list[str]
    z: int | None

    def exists(self) -> bool:
        """Tell whether the file exists, or the folder if the reader takes folders."""
        if isinstance(self.path, list):
            return all(os.path.isfile(path) for path in self.path)
        folders = getattr(self.reader, "folders", False)
        return os.path.isfile(self.path) or (folders and os.path.isdir(self.path))


def find_reader(path: Path | Sequence[Path], reader: Any = None) -> FoundReader:
    """Find the reader of a file, which is opened only if its name is not enough.

    Parameters
    ----------
    path : str or path-like, or sequence of them
        A file, a folder or the files of one volume, or ``"path[z=3]"`` for a slice of one;
        ``"case_{0,1}.png"`` for files whose channels make one image.
    reader : str or Reader, optional
        The reader to use.

    Returns
    -------
    FoundReader

    Raises
    ------
    ValueError
        If no reader takes it, or several do with the same priority.

    Examples
    --------
    >>> type(find_reader("scan.PNG").reader).__name__
    'RasterReader'
    """
    if not isinstance(path, str):
        if not isinstance(path, os.PathLike):
            return _of_files([str(os.fspath(each)) for each in path], reader)
        path = str(os.fspath(path))
    name, z = split_slice(path)
    if files := channel_files(name):
        return FoundReader(ChannelReader(find_reader(files[0], reader).reader), files, z)
    if reader is not None:
        found: Reader = make_plugin("reader", reader)
    elif ids := _by_suffix(name):
        found = _only(ids, name)
    elif os.path.isfile(name):
        found = _by_content(name)
    elif os.path.isdir(name):
        found = _of_folder(name)
    else:
        raise ValueError(_none_for(name))
    return FoundReader(found, name, z)


def has_known_suffix(name: str) -> bool:
    """Tell whether a reader knows the suffix of this name; no file is opened."""
    return bool(_by_suffix(split_slice(name)[0]))


def files_behind(name: str) -> list[str]:
    """List the files that a text names: a file, or those of a slice, a folder or channels.

    Parameters
    ----------
    name : str
        Any text; most texts name no file.

    Returns
    -------
    list of str
    """
    name, _ = split_slice(name)
    if os.path.isfile(name):
        return [name]
    if channels := channel_files(name):
        return channels if all(os.path.isfile(each) for each in channels) else []
    return files_in_folder(name) if os.path.isdir(name) and _folder_reader(name) else []


def files_in_folder(folder: str) -> list[str]:
    """List the files that make the volume of a folder, sorted by name.

    Parameters
    ----------
    folder : str
        Path of the folder.

    Returns
    -------
    list of str
        Without hidden files and ``DICOMDIR``, which only lists the others.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.data import files_in_folder
    >>> Path("series").mkdir()
    >>> for name in ("2.dcm", "1.dcm", ".hidden"):
    ...     Path("series", name).touch()
    >>> [Path(path).name for path in files_in_folder("series")]
    ['1.dcm', '2.dcm']
    """
    names = [name for name in sorted(os.listdir(folder)) if name[0] != "." and name != "DICOMDIR"]
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.isfile(path)]


def split_slice(name: str) -> tuple[str, int | None]:
    """Split ``"path[z=3]"`` into path and slice, unless a file has that very name.

    Parameters
    ----------
    name : str

    Returns
    -------
    path : str
    z : int or None
    """
    found = _SLICE.fullmatch(name) if name.endswith("]") else None
    if found is None or os.path.exists(name):
        return name, None
    return found[1], int(found[2])


def _by_suffix(name: str) -> tuple[str, ...]:
    """Return the ids of the plugins with the longest registered suffix of a name."""
    ids = _by_ending(name[name.rfind(".") :])
    return _by_longest(name) if ids is None else ids


@functools.lru_cache
def _by_ending(ending: str) -> tuple[str, ...] | None:
    """Return the same by what follows the last dot; None if a longer suffix may count."""
    claimed, lower = _suffixes(), ending.lower()
    if any(suffix != lower and suffix.endswith(lower) for suffix in claimed):
        return None
    return claimed.get(lower, ())


def _by_longest(name: str) -> tuple[str, ...]:
    claimed, tails = _suffixes(), name.lower().rsplit(".", _MOST_DOTS)
    for start in range(1, len(tails)):
        suffix = "." + ".".join(tails[start:])
        if suffix in claimed:
            return claimed[suffix]
    return ()


@functools.cache
def _suffixes() -> dict[str, tuple[str, ...]]:
    """Map each suffix to its plugins; no other plugin can take a suffix of our own readers."""
    claims: dict[str, list[PluginInfo]] = {}
    for plugin in _plugins():
        for suffix in plugin.suffixes:
            claims.setdefault(suffix, []).append(plugin)
    return {suffix: _with_right(plugins) for suffix, plugins in sorted(claims.items())}


def _with_right(plugins: list[PluginInfo]) -> tuple[str, ...]:
    ours = [one for one in plugins if one.distribution == "segclf"]
    return tuple(plugin.id for plugin in ours or plugins)


def _plugins() -> list[PluginInfo]:
    return [one for one in list_plugins("reader") if one.kind == "reader" and one.state != "broken"]


def _only(ids: tuple[str, ...], name: str) -> Reader:
    if len(ids) > 1:
        raise ValueError(
            f"Several readers take {name!r}: {', '.join(ids)}. Name one: "
            f"segclf.data.as_images(paths, reader={ids[0]!r})."
        )
    return _made(ids[0])


@functools.cache
def _made(plugin_id: str) -> Reader:
    return make_plugin("reader", plugin_id)


def _by_content(name: str) -> Reader:
    with open(name, "rb") as file:
        start = file.read(_START)
    found = [plugin for plugin in _plugins() if _sniffs(plugin.id, start)]
    if not found:
        raise ValueError(_none_for(name) + f" Its first bytes are {start[:8]!r}.")
    return _only(_with_right(found), name)


def _sniffs(plugin_id: str, start: bytes) -> bool:
    """Ask one reader; a reader that fails, or cannot be imported, does not take the file."""
    try:
        return bool(_made(plugin_id).sniff(start))
    except Exception:
        return False


def _of_folder(name: str) -> Reader:
    reader = _folder_reader(name)
    if reader is None:
        raise ValueError(
            f"{name!r} is a folder, but its files are not the slices of a volume; pass files."
        )
    return reader


def _folder_reader(name: str) -> Reader | None:
    """Find the reader of a folder by its first file, if that reader takes folders."""
    first = next(iter(files_in_folder(name)), None)
    try:
        reader = None if first is None else find_reader(first).reader
    except ValueError:
        return None
    return reader if getattr(reader, "folders", False) else None


def _of_files(names: list[str], reader: Any) -> FoundReader:
    if not names:
        raise ValueError("There are no files; expected those of one volume.")
    found = find_reader(names[0], reader).reader
    if not getattr(found, "folders", False):
        raise ValueError(f"{names[0]!r} is not a slice of a volume in files; pass one path.")
    return FoundReader(found, names, None)


def _none_for(name: str) -> str:
    return f"No reader for {name!r}; supported suffixes: {', '.join(_suffixes())}."
