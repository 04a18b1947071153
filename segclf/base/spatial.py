"""Whether an estimator reads images or volumes."""

from typing import Any

from sklearn.pipeline import Pipeline

from segclf.axes import N_SPATIAL


def n_spatial(estimator: Any) -> int:
    """Return how many spatial axes what an estimator reads has: 2 for images, 3 for volumes.

    An estimator says so by ``_n_spatial``; one around another reads what that one does.

    Examples
    --------
    >>> from segclf import SegmentationClassifier, SliceWise
    >>> n_spatial(SegmentationClassifier()), n_spatial(SegmentationClassifier(SliceWise()))
    (2, 3)
    """
    own = getattr(estimator, "_n_spatial", None)
    if own is not None:
        return int(own)
    if isinstance(estimator, Pipeline):
        return n_spatial(estimator.steps[-1][1])
    inside = (getattr(estimator, name, None) for name in ("segmenter", "estimator"))
    return next((n_spatial(each) for each in inside if hasattr(each, "fit")), N_SPATIAL)


def require_images(inner: Any, owner: Any) -> None:
    """Refuse an estimator of volumes inside of one that hands images to it.

    Raises
    ------
    ValueError
        Naming both, and how they go together.
    """
    if n_spatial(inner) != N_SPATIAL:
        names = type(inner).__name__, type(owner).__name__
        raise ValueError(
            f"{names[0]} reads volumes, and {names[1]} has images for it; expected an estimator of "
            f"images. SliceWise goes around it: SliceWise({names[1]}(...))."
        )


def refuse_volumes(estimator: Any, what: str) -> None:
    """Refuse an estimator of volumes where only images are shown.

    Raises
    ------
    ValueError
        Saying what shows volumes.
    """
    if n_spatial(estimator) != N_SPATIAL:
        raise ValueError(
            f"{what} shows images, and {type(estimator).__name__} reads volumes. "
            "segclf.displays.MaskDisplay shows a slice of each, segclf.reports.audit_masks ranks "
            "their masks."
        )
