"""Labelers that read what the estimator reads: images, or volumes."""

from typing import Any

from segclf.axes import N_SPATIAL
from segclf.base import n_spatial

_KINDS = ("images", "volumes")


def require_alike(labeler: Any, estimator: Any) -> None:
    """Refuse a labeler of images for an estimator of volumes, and teachers of the other kind.

    Raises
    ------
    ValueError
        Saying which go together.
    """
    reads = n_spatial(estimator)
    of_images, kind = reads == N_SPATIAL, _KINDS[reads != N_SPATIAL]
    names = type(labeler).__name__, type(estimator).__name__
    if not of_images and not getattr(labeler, "reads_volumes", True):
        raise ValueError(
            f"{names[0]} reads images, and {names[1]} volumes. Expected labeler='boosted' or "
            f"'self_training', or SliceWise(PseudoLabelSemiSupervised(...)), whose labelers read "
            "slices."
        )
    teachers = labeler.get_params(deep=False).get("teacher")
    for teacher in teachers if isinstance(teachers, list) else [teachers]:
        if teacher is not None and n_spatial(teacher) != reads:
            raise ValueError(
                f"{names[1]} reads {kind}, and {type(teacher).__name__}, which teaches "
                f"{names[0]}, does not. Expected a teacher of {kind}, or None for "
                f"{names[1]} itself; SliceWise(...) makes one of volumes of one of images."
            )
