"""Whether an estimator reads images or volumes."""

from typing import Any

from sklearn.pipeline import Pipeline

from segclf.axes import N_SPATIAL
from segclf.networks import check_together, spatial_axes

# Parameters that name an encoder.
_ENCODERS = ("encoder", "cnn", "transformer")


def asked_axes(estimator: Any) -> int | None:
    """Return 3 if the parameters request a network for volumes, else None."""
    given = vars(estimator)
    asked = max(spatial_axes(given.get("architecture"), given.get(name)) for name in _ENCODERS)
    return None if asked == N_SPATIAL else asked


def n_spatial(estimator: Any) -> int:
    """Return the number of spatial axes that an estimator reads: 2 for images, 3 for volumes.

    An estimator states it as ``_n_spatial``; an estimator around another one reads what that reads.

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
    """Check that the requested networks read images, or volumes if the estimator can.

    Raises
    ------
    ValueError
        For an encoder or architecture for volumes in an estimator of images, and for a mix of both.
    """
    given = vars(estimator)
    if asked_axes(estimator) is not None and not estimator._reads_volumes:
        names = ("architecture", *_ENCODERS)
        asked = next(n for n in names if spatial_axes(given.get(n), given.get(n)) != N_SPATIAL)
        raise ValueError(
            f"{type(estimator).__name__} reads images, but {asked}={given[asked]!r} is for "
            f"volumes; expected one for images. {estimator._for_volumes}"
        )
    for name in _ENCODERS:
        check_together(given.get("architecture"), given.get(name))


def require_images(inner: Any, owner: Any) -> None:
    """Refuse an estimator of volumes inside one that passes images to it.

    Raises
    ------
    ValueError
        The message names both, and how to combine them.
    """
    if n_spatial(inner) != N_SPATIAL:
        names = type(inner).__name__, type(owner).__name__
        raise ValueError(
            f"{names[0]} reads volumes, but {names[1]} passes images to it; expected an estimator "
            f"of images. For volumes, wrap the outer one: SliceWise({names[1]}(...))."
        )


def refuse_volumes(estimator: Any, what: str) -> None:
    """Refuse an estimator of volumes where only images are shown.

    Raises
    ------
    ValueError
        The message names what shows volumes.
    """
    if n_spatial(estimator) != N_SPATIAL:
        raise ValueError(
            f"{what} shows images, but {type(estimator).__name__} reads volumes. Use "
            "segclf.report, MaskDisplay or ErrorMapDisplay to show volumes, or "
            "segclf.reports.audit_masks to rank their masks."
        )


def channels_of(estimator: Any) -> Any:
    """Return the `channels` parameter of an estimator, or of the one inside it."""
    if isinstance(estimator, Pipeline):
        return channels_of(estimator.steps[-1][1])
    if hasattr(estimator, "channels"):
        return estimator.channels
    inside = (getattr(estimator, name, None) for name in ("segmenter", "estimator"))
    return next((channels_of(each) for each in inside if hasattr(each, "fit")), None)
