"""A unique name for each image, from its file, for the files written about it."""

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
    """Remove the suffixes of file names (with folders) as far as they stay distinct.

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
    """Return a unique name for each image.

    Parameters
    ----------
    images : Images
    names : sequence of str, optional
        The user's names. By default those of the files, or "0000" and so on.
    folders : bool
        Whether names may have folders, such as ``"patient/image"``.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If two names are equal, also if only after ignoring case, as some file systems do, or if one
        is not a valid file name.
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
            raise ValueError(f"{name!r} is not a valid file name without folder and suffix.")
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            raise ValueError(
                f"{images.name(first)} and {images.name(index)} have the same name {name!r}; "
                "pass names= with a unique name for each image."
            )
    return found


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set('/\\\0"')
