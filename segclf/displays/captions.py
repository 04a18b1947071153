"""Captions of tiles: predicted label, probability, and the true label if it differs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from segclf.data.labels import is_labeled


def caption(said: Any, truth: Any, probability: Any, names: Mapping[Any, Any]) -> str:
    r"""Return the caption of one image; labels may be missing, single, or indicators (k,).

    Examples
    --------
    >>> caption(1, 0, 0.61, {0: "healthy", 1: "nodule"})
    'nodule (61 %)\ntruth: healthy'
    >>> caption([0, 1, 1], None, None, {})
    '1, 2'
    """
    if said is None:
        return "" if truth is None else _name(truth, names)
    text = _name(said, names)
    if probability is not None:
        text += f" ({100 * probability:.0f} %)"
    wrong = is_right(said, truth) is False
    return f"{text}\ntruth: {_name(truth, names)}" if wrong else text


def is_right(said: Any, truth: Any) -> bool | None:
    """Return whether the predicted label is right; None if either label is missing.

    Examples
    --------
    >>> is_right(1, 1), is_right(1, 0), is_right(1, -1), is_right([0, 1], [0, -1])
    (True, False, None, True)
    """
    if said is None or truth is None:
        return None
    said, truth = np.atleast_1d(said), np.atleast_1d(truth)
    labeled = is_labeled(truth)
    return bool((said == truth)[labeled].all()) if labeled.any() else None


def _name(label: Any, names: Mapping[Any, Any]) -> str:
    if not np.shape(label):
        label = label.item() if hasattr(label, "item") else label
        return str(names.get(label, label))
    shown = [str(names.get(int(k), int(k))) for k in np.flatnonzero(np.asarray(label) == 1)]
    return ", ".join(shown) or "none"
