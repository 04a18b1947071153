"""One name for each image, from its file: what is written about it is called so."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from segclf.data import Images
from segclf.data.found_readers import split_slice

__all__ = ["case_name", "case_names", "without_suffixes"]

_CHANNELS = re.compile(r"_?\{[^{}]*\}")
_COMPRESSED = (".gz", ".bz2")


def case_name(path: str) -> str:
    """Return the name of a file without folder and suffix.

    Examples
    --------
    >>> case_name("scans/a.nii.gz"), case_name("a.nii.gz[z=4]"), case_name("a_{0000,0001}.png")
    ('a', 'a_z4', 'a')
    """
    name, z = split_slice(path)
    name = _CHANNELS.sub("", os.path.basename(os.path.normpath(name)))
    stem, suffix = os.path.splitext(name)
    if suffix.lower() in _COMPRESSED:
        stem = os.path.splitext(stem)[0]
    return stem if z is None else f"{stem}_z{z}"


def without_suffixes(names: Sequence[str]) -> list[str]:
    """Return names of files, with their folders, without suffixes as far as that tells them apart.

    Examples
    --------
    >>> without_suffixes(["a/1.png", "b/1.png"]), without_suffixes(["1.png", "1.jpg"])
    (['a/1', 'b/1'], ['1.png', '1.jpg'])
    """
    short = ["/".join([*name.split("/")[:-1], case_name(name)]) for name in names]
    return short if len(set(short)) == len(short) else list(names)


def case_names(
    images: Images, names: Sequence[str] | None = None, *, folders: bool = False
) -> list[str]:
    """Return a name for each image, each of which is there once.

    Parameters
    ----------
    images : Images
    names : sequence of str, optional
        What the user said. By default those of the files, or "0000" and so on.
    folders : bool
        Whether names may have folders, ``"patient/image"``.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If two would be the same, also where file systems do not tell upper from lower case, or if
        one is no name of a file.
    """
    n_digits = max(4, len(str(len(images) - 1)))
    if names is None:
        paths = [images.path(index) for index in range(len(images))]
        found = [
            f"{index:0{n_digits}}" if path is None else case_name(path)
            for index, path in enumerate(paths)
        ]
    else:
        found = list(names)
    if len(found) != len(images):
        raise ValueError(f"There are {len(found)} names for {len(images)} images.")
    seen: dict[str, int] = {}
    for index, name in enumerate(found):
        parts = name.split("/") if folders and isinstance(name, str) else [name]
        if not all(map(_is_name, parts)):
            raise ValueError(f"{name!r} is no name of a file, without its folder and suffix.")
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            raise ValueError(
                f"{images.name(first)} and {images.name(index)} would both be called {name!r}; "
                "pass names=, one for each image."
            )
    return found


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set('/\\\0"')
