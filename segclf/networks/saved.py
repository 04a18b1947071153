"""The networks in a file that `segclf.save` wrote, whatever estimators they belong to."""

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from segclf.files import Container
from segclf.networks.rebuilt import rebuild
from segclf.networks.stored_tensors import container_tensors


def saved_networks(path: str | Path) -> list[nn.Module]:
    """Make the networks in a segclf file again.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    list of nn.Module
        The network of the outermost estimator first, then those of its parts and parameters; empty
        for a file that `segclf.save` did not write.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged.
    """
    header = _header(path)
    try:
        written = list(_networks_of(header))
        named = [each for each in written if each["recipe"]["kind"] != "own"]
        if len(named) or not written:
            return [_made_again(each, path) for each in named]
    except (AttributeError, KeyError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        message = f"{path} cannot be read: {type(error).__name__}: {error} It is damaged, or of "
        raise ValueError(f"{message}another version of segclf.") from error
    raise ValueError(
        f"{path} holds a network made by a custom function, which cannot be transferred to another."
    )


def saved_weights(path: str | PathLike[str]) -> dict[str, Any] | None:
    """Return a segclf file's record of the weights that its networks started from.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    dict or None
        The attribute ``weights_`` of the outermost estimator that has one; None if none has.

    Examples
    --------
    >>> import segclf
    >>> from segclf.networks import saved_weights
    >>> segclf.save(segclf.ImageClassifier(encoder="tiny"), "unfitted.safetensors")
    >>> saved_weights("unfitted.safetensors")
    """
    header = _header(path)
    return next((each["weights_"] for each in _dicts_of(header) if each.get("weights_")), None)


def _header(path: str | PathLike[str]) -> Any:
    """Read the header of `segclf.save`; None for a file of torch, or a damaged one."""
    try:
        return json.loads(Container(Path(path)).metadata.get("segclf", "null"))
    except (RecursionError, TypeError, ValueError, KeyError):
        return None


def _networks_of(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the descriptions of networks in a JSON value, the outermost first."""
    yield from (each for each in _dicts_of(value) if each.keys() == {"recipe", "arrays"})


def _dicts_of(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a JSON value, the outermost first."""
    level = [value]
    while level:
        found = [each for each in level if isinstance(each, dict)]
        yield from found
        lists = [item for each in level if isinstance(each, list) for item in each]
        level = [item for each in found for item in each.values()] + lists


def _made_again(written: dict[str, Any], path: str | PathLike[str]) -> nn.Module:
    stored = container_tensors(Container(Path(path)))
    names = {name: array["$array"] for name, array in written["arrays"].items()}
    return rebuild(written["recipe"], {name: stored[place].read() for name, place in names.items()})
