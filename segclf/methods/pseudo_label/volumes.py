"""Labelers must read the same kind of data as the estimator: images, or volumes."""

from typing import Any

from segclf.axes import N_SPATIAL
from segclf.base import n_spatial

_KINDS = ("images", "volumes")


def require_alike(labeler: Any, estimator: Any) -> None:
    """Raise if a labeler or its teacher reads images and the estimator volumes, or vice versa.

    Raises
    ------
    ValueError
        If the kinds differ; the message says which fit together.
    """
    reads = n_spatial(estimator)
    of_images, kind = reads == N_SPATIAL, _KINDS[reads != N_SPATIAL]
    names = type(labeler).__name__, type(estimator).__name__
    if not of_images and not getattr(labeler, "reads_volumes", True):
        raise ValueError(
            f"{names[0]} reads images, and {names[1]} volumes. Expected labeler='boosted' or "
            "'self_training', or SliceWise(PseudoLabelSemiSupervised(...)), in which labelers read "
            "slices."
        )
    teachers = labeler.get_params(deep=False).get("teacher")
    for teacher in teachers if isinstance(teachers, list) else [teachers]:
        if teacher is not None and n_spatial(teacher) != reads:
            raise ValueError(
                f"{names[1]} reads {kind}, but {type(teacher).__name__}, the teacher of "
                f"{names[0]}, does not. Expected a teacher that reads {kind}, or None for "
                f"{names[1]} itself. SliceWise(...) makes a segmenter of volumes of one of images."
            )
