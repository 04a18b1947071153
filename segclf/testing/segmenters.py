"""Checks of segmenters, in the style of scikit-learn's estimator checks."""

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
        each raises an error if the segmenter breaks the contract.

    Examples
    --------
    >>> from segclf.testing import segmenter_checks
    >>> segmenter_checks()[0].__name__
    'check_init_only_stores'
    """
    return tuple(map(of_small_fits, CHECKS))


def check_segmenter(segmenter: Any) -> None:
    """Check that a segmenter meets the contract of all segmenters.

    Parameters
    ----------
    segmenter : Segmenter
        An unfitted segmenter, small and fast: it is cloned and trained about forty times, on six
        images of 16 x 16. The quality of its masks does not matter.

    Raises
    ------
    ExceptionGroup
        With the error of each failed check and the name of the check.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.testing import check_segmenter
    >>> check_segmenter(SupervisedSegmenter(encoder="tiny", max_epochs=1))
    """
    run_all(CHECKS, segmenter, name=type(segmenter).__name__)
