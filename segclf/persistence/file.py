"""The file: one header of JSON, the arrays, and a version; written whole or not at all."""

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from safetensors.numpy import save as pack
from sklearn.base import BaseEstimator

import segclf
from segclf.data._atomic_write import atomic_write
from segclf.files import read_container
from segclf.persistence.class_names import class_name, trusted_class
from segclf.persistence.reader import Reader, named_classes
from segclf.persistence.writer import Writer

KEY = "segclf"
FORMAT = 3
# 2: what more of scikit-learn's estimators are made of. 3: the checksum is of the header, too.
READS = (1, 2, 3)
HEADER = {"format", "segclf", "scikit-learn", "estimator", "checksum"}


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write an estimator, fitted or not, to one file.

    The file appears whole or not at all, and the same estimator gives the same bytes. One that is
    replaced hands on its mode bits; of a symbolic link, the target is replaced. Callbacks are left
    out: they belong to a session.

    Parameters
    ----------
    estimator : estimator
        Any of segclf's, or of scikit-learn's, as far as it is made of numbers, strings, paths,
        arrays, lists, tuples, dicts and further estimators, of trees, splitters, scikit-learn's
        own metrics and scipy's distributions: pipelines, searches, forests, gradient boosting,
        calibrated and voting classifiers and their kin.
    path : path
        The file; one that exists is replaced. Its name usually ends in ``.safetensors``.

    Raises
    ------
    OSError
        When the file cannot be written: the folder is missing or may not be written, the disk is
        full, the file is read-only or no regular file. What was there before is as it was.
    TypeError
        For a value that is none of these, naming the parameter. A file holds no code: of a function
        or class in a module (a ``loss`` or ``schedule`` of your own) it holds the name, and `load`
        wants the function in its ``trusted``; lambdas are refused. Of a search that holds one,
        save the ``best_estimator_``. For what else scikit-learn has, such as nearest neighbors,
        there is ``skops.io``.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import segclf
    >>> segclf.save(segclf.SupervisedSegmenter(encoder="tiny"), "segmenter.safetensors")
    >>> segclf.load("segmenter.safetensors")
    SupervisedSegmenter(encoder='tiny')
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"save takes an estimator, got {estimator!r:.80}.")
    try:
        write_value(estimator, path, type(estimator).__name__)
    except TypeError as error:
        if hasattr(estimator, "best_estimator_"):
            hint = "What a search found can be saved alone: save(search.best_estimator_, path)."
            raise TypeError(f"{error} {hint}") from error
        raise


def load(path: str | os.PathLike[str], *, trusted: Iterable[Any] = ()) -> Any:
    """Read an estimator that `save` wrote; it predicts what the saved one did, bit for bit.

    A file cannot bring code along. It names the classes of its estimators, and nothing is built
    before each of them is known to be an estimator of segclf, of an installed segclf plugin, of
    scikit-learn, or one of `trusted`.

    Parameters
    ----------
    path : path
        The file.
    trusted : iterable of classes and functions
        What the file may name further, such as a summarizer, a loss or a network of your own. It
        is not imported for the file.

    Returns
    -------
    estimator
        With the parameters and the learned attributes of the saved one. One saved with
        ``device="cuda"`` loads anywhere, and predicts elsewhere after
        ``set_params(device="auto")``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged or something else, was written in a later format than this
        version of segclf knows, or names a class that is not trusted.

    See Also
    --------
    save : Writes such files.
    """
    path = Path(path)
    made = read_value(path, trusted)
    if not hasattr(made, "get_params"):
        raise ValueError(f"{path} cannot be loaded: it holds a {type(made).__name__}.")
    return made


def write_value(value: Any, path: str | os.PathLike[str], place: str) -> None:
    """Write what `pack_value` returns to a file; raises as `save` does."""
    atomic_write(path, pack_value(value, place))


def pack_value(value: Any, place: str) -> bytes:
    """Return the file of an estimator, or of whatever its attributes may hold.

    Raises
    ------
    TypeError
        For what a file cannot hold, naming where it stands; `place` is the value's own name.
    """
    writer = Writer()
    written = writer.write(value, place)
    header = {
        "format": FORMAT,
        "segclf": segclf.__version__,
        "scikit-learn": sklearn.__version__,
        "estimator": written,
    }
    header["checksum"] = _checksum(writer.arrays, header)
    return pack(writer.arrays, metadata={KEY: json.dumps(header, allow_nan=False)})


def read_value(path: Path, trusted: Iterable[Any] = (), *, plain: bool = False) -> Any:
    """Read what `pack_value` returned, in a file; raises as `load` does.

    Plain values name no class: with `plain` a file that does is refused.
    """
    header, arrays = _read(path)
    given = {class_name(each): each for each in trusted}
    names = sorted(set(_names(header, path)))
    if plain and names:
        raise ValueError(f"{path} names {names[0]!r}; expected numbers, texts and arrays alone.")
    classes = {name: trusted_class(name, given, path) for name in names}
    try:
        return Reader(arrays, classes).read(header["estimator"])
    except ImportError as error:
        raise ImportError(f"{path} needs a package that is missing: {error}") from error
    except Exception as error:  # a damaged file may end in any
        raise ValueError(
            f"{path} cannot be loaded: {type(error).__name__}: {error} It is damaged, or its "
            f"versions do not fit (segclf {header['segclf']}, scikit-learn "
            f"{header['scikit-learn']}; here {segclf.__version__}, {sklearn.__version__})."
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read header and arrays, or say why this is no estimator of ours."""
    try:
        metadata, arrays = read_container(path)
        header = json.loads(metadata.get(KEY, "null"))
    except OSError:
        raise  # it names the file
    except Exception as error:
        message = f"{path} is not a file that segclf.save wrote, or it is damaged: {error}."
        raise ValueError(message) from error
    _check_header(header, path)
    if header["checksum"] != _checksum(arrays, header):
        raise ValueError(f"{path} is damaged: it does not hold what segclf.save wrote.")
    return header, arrays


def _names(header: dict[str, Any], path: Path) -> Iterable[str]:
    try:
        return list(named_classes(header["estimator"]))
    except RecursionError as error:
        raise ValueError(f"{path} is damaged: its header is nested too deep.") from error


def _check_header(header: Any, path: Path) -> None:
    if not isinstance(header, dict) or "format" not in header:
        raise ValueError(f"{path} is a safetensors file, but not one that segclf.save wrote.")
    if header["format"] not in READS:
        raise ValueError(
            f"{path} has format {header['format']!r} (segclf {header.get('segclf')}); this is "
            f"segclf {segclf.__version__}, which reads formats {READS[0]} to {READS[-1]}."
        )
    if not header.keys() >= HEADER:
        raise ValueError(f"{path} is damaged: no {sorted(HEADER - header.keys())} in its header.")


def _checksum(arrays: Mapping[str, NDArray[Any]], header: dict[str, Any]) -> int:
    """Sum up the arrays and, since format 3, the rest of the header."""
    rest = {name: value for name, value in header.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True).encode() if header["format"] > 2 else b""
    checksum = zlib.crc32(text)
    for name in sorted(arrays):
        content = np.ascontiguousarray(arrays[name]).data  # no copy, where it is so already
        checksum = zlib.crc32(content, zlib.crc32(name.encode(), checksum))
    return checksum
