"""Architectures and encoders of images or of volumes, and a check that both fit together."""

from typing import Any

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES
from segclf.networks.architectures import ARCHITECTURES
from segclf.networks.volume_encoders import VOLUME_ENCODERS, is_volume_encoder


def spatial_axes(architecture: Any = None, encoder: Any = None) -> int:
    """Return a network's number of spatial axes: 3 if architecture or encoder is for volumes.

    Parameters
    ----------
    architecture, encoder : object
        Names; anything else, and "auto", means images.

    Examples
    --------
    >>> spatial_axes("unet", "resnet18"), spatial_axes("unet3d"), spatial_axes(encoder="tiny3d")
    (2, 3, 3)
    """
    volumes = is_volume_encoder(encoder) or _n_spatial(architecture) == N_SPATIAL_OF_VOLUMES
    return N_SPATIAL_OF_VOLUMES if volumes else N_SPATIAL


def check_together(architecture: Any, encoder: Any) -> None:
    """Raise for an encoder of images with an architecture of volumes, or vice versa.

    Parameters
    ----------
    architecture, encoder : object
        Names; "auto" and None fit everything.

    Raises
    ------
    ValueError
        If they do not fit; the message says what fits together.

    Examples
    --------
    >>> from segclf.networks import check_together
    >>> check_together("unet3d", "tiny3d")
    >>> check_together("unet3d", "resnet18")
    Traceback (most recent call last):
    ValueError: ...
    """
    if encoder in ("auto", None) or architecture not in ARCHITECTURES:
        return
    reads = ARCHITECTURES[architecture].n_spatial
    of_volumes = is_volume_encoder(encoder)
    if of_volumes == (reads == N_SPATIAL_OF_VOLUMES):
        return
    kinds = ("images", "volumes") if of_volumes else ("volumes", "images")
    raise ValueError(
        f"architecture={architecture!r} reads {kinds[0]}, and encoder={encoder!r} {kinds[1]}. "
        f"Expected both of one kind. For volumes: architecture={_listed(_of_volumes())} with "
        f"encoder={_listed(VOLUME_ENCODERS)}. For images: 'unet' and others with 'resnet18' and "
        "others."
    )


def own_encoder(architecture: Any) -> str | None:
    """Return the encoder that an architecture is made for, if any.

    Examples
    --------
    >>> from segclf.networks import own_encoder
    >>> own_encoder("dynunet")
    'dynunet'
    """
    known = isinstance(architecture, str) and architecture in ARCHITECTURES
    return ARCHITECTURES[architecture].encoder if known else None


def architecture_of_volumes(encoder: str) -> str:
    """Return the architecture for an encoder of volumes: its own, else "unet3d".

    Examples
    --------
    >>> from segclf.networks import architecture_of_volumes
    >>> architecture_of_volumes("tiny3d"), architecture_of_volumes("dynunet")
    ('unet3d', 'dynunet')
    """
    own = (name for name in _of_volumes() if ARCHITECTURES[name].encoder == encoder)
    return next(own, "unet3d")


def _n_spatial(architecture: Any) -> int:
    known = isinstance(architecture, str) and architecture in ARCHITECTURES
    return ARCHITECTURES[architecture].n_spatial if known else N_SPATIAL


def _of_volumes() -> list[str]:
    return [name for name in ARCHITECTURES if _n_spatial(name) == N_SPATIAL_OF_VOLUMES]


def _listed(names: Any) -> str:
    return " or ".join(map(repr, names))
