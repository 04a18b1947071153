"""Scikit-learn's checks, for segmenters: what every one of them must keep."""

from typing import Any

from segclf.testing import conventions, outputs, randomness, refusals, supervision
from segclf.testing.report import Check, of_small_fits, run_all

CHECKS: tuple[Check, ...] = (
    *conventions.CHECKS,
    *randomness.CHECKS,
    *outputs.CHECKS,
    *supervision.CHECKS,
    *refusals.CHECKS,
)


def segmenter_checks() -> tuple[Check, ...]:
    """Return the checks of segmenters, each a function of an estimator.

    Returns
    -------
    tuple of callable
        For ``pytest.mark.parametrize("check", segmenter_checks(), ids=lambda c: c.__name__)``;
        each raises where the segmenter does not keep its promise.

    Examples
    --------
    >>> from segclf.testing import segmenter_checks
    >>> segmenter_checks()[0].__name__
    'check_init_only_stores'
    """
    return tuple(map(of_small_fits, CHECKS))


def check_segmenter(segmenter: Any) -> None:
    """Check that a segmenter keeps what all segmenters promise.

    Parameters
    ----------
    segmenter : Segmenter
        An unfitted one, small and fast: it is cloned and trained some forty times, on six images
        of 16 x 16. How well it segments does not matter.

    Raises
    ------
    ExceptionGroup
        Holding the error of each check that failed, with the name of the check.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.testing import check_segmenter
    >>> check_segmenter(SupervisedSegmenter(encoder="tiny", max_epochs=1))
    """
    run_all(CHECKS, segmenter, name=type(segmenter).__name__)
