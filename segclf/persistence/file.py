"""The file: a JSON header, the arrays, and a version; written whole or not at all."""

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
# 2: more of scikit-learn's estimators. 3: the checksum includes the header.
READS = (1, 2, 3)
HEADER = {"format", "segclf", "scikit-learn", "estimator", "checksum"}


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write an estimator, fitted or not, to one file.

    The file is written whole or not at all, and the same estimator gives the same bytes. A replaced
    file keeps its mode bits; if the path is a symbolic link, its target is replaced. Callbacks are
    not saved: they belong to a session.

    Parameters
    ----------
    estimator : estimator
        An estimator of segclf or scikit-learn that consists of numbers, strings, paths, arrays,
        lists, tuples, dicts and further estimators, of trees, splitters, scikit-learn's own metrics
        and scipy's distributions: pipelines, searches, forests, gradient boosting, calibrated and
        voting classifiers, and similar ones.
    path : path
        The file; an existing one is replaced. Its name usually ends in ``.safetensors``.

    Raises
    ------
    OSError
        If the file cannot be written: the folder is missing or not writable, the disk is full, or
        the file is read-only or not a regular file. The old file stays unchanged.
    TypeError
        For any other value; the message names the parameter. A file holds no code: for a function
        or class in a module (a custom ``loss`` or ``schedule``) it holds the name, and `load` needs
        the function in ``trusted``; lambdas are refused. For a search that holds one, save the
        ``best_estimator_``. For other estimators of scikit-learn, such as nearest neighbors, use
        ``skops.io``.

    See Also
    --------
    load : Reads such files.

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
            hint = "To save only the result of a search: save(search.best_estimator_, path)."
            raise TypeError(f"{error} {hint}") from error
        raise


def load(path: str | os.PathLike[str], *, trusted: Iterable[Any] = ()) -> Any:
    """Read an estimator that `save` wrote; it predicts the same as the saved one, bit for bit.

    A file cannot contain code. It names the classes of its estimators, and nothing is built before
    each of them is known to be an estimator of segclf, of an installed segclf plugin or of
    scikit-learn, or one of `trusted`.

    Parameters
    ----------
    path : path
        The file.
    trusted : iterable of classes and functions
        Further classes and functions that the file may name, such as a custom summarizer, loss or
        network. They are not imported for the file.

    Returns
    -------
    estimator
        It has the parameters and the learned attributes of the saved one. An estimator saved with
        ``device="cuda"`` loads anywhere; to predict on another device, call
        ``set_params(device="auto")``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind, was written in a later format than this version
        of segclf knows, or names a class that is not trusted.

    See Also
    --------
    save : Writes such files.

    Examples
    --------
    >>> import segclf
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = segclf.ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> classifier = classifier.fit(shapes.images, shapes.target)
    >>> segclf.save(classifier, "classifier.safetensors")
    >>> loaded = segclf.load("classifier.safetensors")
    >>> bool((loaded.predict(shapes.images) == classifier.predict(shapes.images)).all())
    True
    """
    path = Path(path)
    made = read_value(path, trusted)
    if not hasattr(made, "get_params"):
        raise ValueError(f"{path} cannot be loaded: it holds a {type(made).__name__}.")
    return made


def write_value(value: Any, path: str | os.PathLike[str], place: str) -> None:
    """Write what `pack_value` returns to a file; raises as `save` does.

    Parameters
    ----------
    value : object
        An estimator, or what its attributes may hold.
    path : str or path-like
        The file to write.
    place : str
        Name of the value in errors.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.persistence import read_value, write_value
    >>> write_value({"a": [1, 2.5]}, "value.safetensors", "value")
    >>> read_value(Path("value.safetensors"), plain=True)
    {'a': [1, 2.5]}
    """
    atomic_write(path, pack_value(value, place))


def pack_value(value: Any, place: str) -> bytes:
    """Return the file of an estimator, or of any value that its attributes may hold.

    Raises
    ------
    TypeError
        For a value that a file cannot hold; the message names its place. `place` is the value's own
        name.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.persistence import pack_value, read_value
    >>> _ = Path("value.safetensors").write_bytes(pack_value({"a": [1, 2.5]}, "value"))
    >>> read_value(Path("value.safetensors"))
    {'a': [1, 2.5]}
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

    Plain values name no class: with `plain`, a file that names one is refused.

    Parameters
    ----------
    path : Path
        The file.
    trusted : iterable of classes and functions
        As in :func:`segclf.load`.
    plain : bool
        Whether to refuse files that name classes.

    Returns
    -------
    object
        An estimator, or a plain value.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.persistence import read_value, write_value
    >>> write_value({"a": [1, 2.5]}, "value.safetensors", "value")
    >>> read_value(Path("value.safetensors"), plain=True)
    {'a': [1, 2.5]}
    """
    header, arrays = _read(path)
    given = {class_name(each): each for each in trusted}
    names = sorted(set(_names(header, path)))
    if plain and names:
        raise ValueError(f"{path} names {names[0]!r}; expected only numbers, text and arrays.")
    classes = {name: trusted_class(name, given, path) for name in names}
    try:
        return Reader(arrays, classes).read(header["estimator"])
    except ImportError as error:
        raise ImportError(f"{path} needs a package that is missing: {error}") from error
    except Exception as error:  # a damaged file may raise any error
        raise ValueError(
            f"{path} cannot be loaded: {type(error).__name__}: {error} It is damaged, or its "
            f"versions do not match (segclf {header['segclf']}, scikit-learn "
            f"{header['scikit-learn']}; here {segclf.__version__}, {sklearn.__version__})."
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read header and arrays, or say why this is not a saved estimator."""
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
        raise ValueError(f"{path} is damaged: its header is nested too deeply.") from error


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
    """Return the checksum of the arrays and, since format 3, of the rest of the header."""
    rest = {name: value for name, value in header.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True).encode() if header["format"] > 2 else b""
    checksum = zlib.crc32(text)
    for name in sorted(arrays):
        content = np.ascontiguousarray(arrays[name]).data  # no copy if it is contiguous already
        checksum = zlib.crc32(content, zlib.crc32(name.encode(), checksum))
    return checksum
