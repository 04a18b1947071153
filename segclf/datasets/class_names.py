"""Names of classes and their mask ids."""

from __future__ import annotations

from collections.abc import Iterable

from segclf.data.mask_checks import MAX_ID
from segclf.datasets.outside_files import unique

__all__ = ["BACKGROUND", "class_ids", "mask_names"]

BACKGROUND = "background"


def class_ids(names: Iterable[str], ignore: str | None, where: str) -> dict[str, int]:
    """Return the mask id of each class: 1, 2 and so on, in the given order.

    Parameters
    ----------
    names : iterable of str
        Names of the classes; "background" gets id 0.
    ignore : str or None
        The name whose pixels are -1, unlabeled.
    where : str
        Description of the source, for the error message.

    Raises
    ------
    ValueError
        If a name occurs twice, or there are more names than ids.
    """
    found: dict[str, int] = {}
    for name in unique(names, where):
        if name == BACKGROUND:
            found[name] = 0
        elif name == ignore:
            found[name] = -1
        else:
            found[name] = 1 + max([0, *found.values()])
    if max([0, *found.values()]) > MAX_ID:
        raise ValueError(f"{where}: there are {len(found)} classes; expected at most {MAX_ID}.")
    return found


def mask_names(ids: dict[str, int], *, multilabel: bool) -> list[str]:
    """Return the names of the mask ids, or of the channels of multi-label masks."""
    names = sorted((name for name in ids if ids[name] > 0), key=ids.__getitem__)
    return names if multilabel else [BACKGROUND, *names]
