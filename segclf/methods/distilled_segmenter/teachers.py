"""The teacher: a segmenter, or several whose soft masks are averaged."""

import copy
from typing import Any

from sklearn.utils.validation import check_is_fitted
from torch import nn

from segclf.base import Segmenter, SegmenterEnsemble
from segclf.networks import StackedNetworks


def members(teacher: Any) -> list[Any]:
    """Return the fitted segmenters that a teacher consists of, each with a network.

    Raises
    ------
    TypeError
        If one has no network of pixel scores.
    ValueError
        If there is none, or they have different classes.
    sklearn.exceptions.NotFittedError
        If one is not fitted.
    """
    if isinstance(teacher, list):
        found = [each for part in teacher for each in members(part)]
    else:
        check_is_fitted(teacher)
        found = teacher.segmenters_ if isinstance(teacher, SegmenterEnsemble) else [teacher]
    if not found:
        raise ValueError("teacher=[]; expected a list of at least one segmenter.")
    for each in found:
        _check(each)
    kinds = {(each.n_classes_, each.multilabel_) for each in found}
    if len(kinds) > 1:
        raise ValueError(
            f"The teachers have {', '.join(f'{n} classes' for n, _ in sorted(kinds))}; expected "
            "the same classes in all. Set n_classes= in each."
        )
    return found


def network_of(teachers: list[Any]) -> nn.Module:
    """Copy the networks of fitted segmenters; the scores of several are stacked."""
    networks = [copy.deepcopy(each.network_) for each in teachers]
    return networks[0] if len(networks) == 1 else StackedNetworks(networks)


def _check(teacher: Any) -> None:
    check_is_fitted(teacher)
    if not isinstance(teacher, Segmenter) or not hasattr(teacher, "network_"):
        raise TypeError(
            f"teacher={teacher!r:.120} has no network that scores pixels; expected a segmenter of "
            "segclf, or a fitted one inside FrozenEstimator."
        )
