"""Whether an estimator reads images or volumes."""

from typing import Any

from sklearn.pipeline import Pipeline

from segclf.axes import N_SPATIAL
from segclf.networks import check_together, spatial_axes

# The parameters that name an encoder.
_ENCODERS = ("encoder", "cnn", "transformer")


def asked_axes(estimator: Any) -> int | None:
    """Return 3 where an estimator is asked for a network of volumes, else None."""
    given = vars(estimator)
    asked = max(spatial_axes(given.get("architecture"), given.get(name)) for name in _ENCODERS)
    return None if asked == N_SPATIAL else asked


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


def check_kind(estimator: Any) -> None:
    """Check that what an estimator is asked for reads images, or volumes where it can.

    Raises
    ------
    ValueError
        For an encoder or an architecture of volumes in an estimator of images, and for one of each
        kind.
    """
    given = vars(estimator)
    if asked_axes(estimator) is not None and not estimator._reads_volumes:
        names = ("architecture", *_ENCODERS)
        asked = next(n for n in names if spatial_axes(given.get(n), given.get(n)) != N_SPATIAL)
        raise ValueError(
            f"{type(estimator).__name__} reads images, and {asked}={given[asked]!r} volumes. "
            f"Expected one of images. {estimator._for_volumes}"
        )
    for name in _ENCODERS:
        check_together(given.get("architecture"), given.get(name))


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
            f"images, around which SliceWise goes: SliceWise({names[1]}(...))."
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
            "segclf.report, MaskDisplay and ErrorMapDisplay show volumes, "
            "segclf.reports.audit_masks ranks their masks."
        )


def channels_of(estimator: Any) -> Any:
    """Return where an estimator, or what it is around, takes the channels of arrays to be."""
    if isinstance(estimator, Pipeline):
        return channels_of(estimator.steps[-1][1])
    if hasattr(estimator, "channels"):
        return estimator.channels
    inside = (getattr(estimator, name, None) for name in ("segmenter", "estimator"))
    return next((channels_of(each) for each in inside if hasattr(each, "fit")), None)
