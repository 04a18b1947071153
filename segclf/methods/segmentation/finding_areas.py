"""How large findings are in the training masks, for a summarizer that asks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from segclf.data import Masks


def asked_areas(
    summarizer: Any, masks: Masks, findings: slice, chosen: NDArray[np.intp]
) -> dict[str, NDArray[np.float64]]:
    """Return what to call the summarizer's `fit` with: ``areas``, if it has such a parameter.

    Parameters
    ----------
    summarizer : classifier
        One that learns from maps is given the rows of which it sees the maps; another one all.
    masks : Masks
        Of the n training images.
    findings : slice
        Which mask ids or channels decide the label.
    chosen : array of int
        Rows of which the summarizer sees the maps.
    """
    if not has_fit_parameter(summarizer, "areas"):
        return {}
    if get_tags(summarizer).requires_fit:
        masks = masks.subset(chosen)
    return {"areas": masks.shares(findings.stop)[:, findings]}
