"""Architectures by name, and their properties."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES

_STAGES = (256, 128, 64, 32, 16)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture and its options.

    Parameters
    ----------
    model : str or None
        The class in segmentation-models-pytorch; None for segclf's own.
    depth : int or None
        Default number of encoder stages; None if the encoder is used whole.
    depths : tuple of int
        Smallest and largest number of stages.
    channels : tuple of int, int or None
        Default of `decoder_channels`: one number per stage, one for all, or no such option.
    attention : bool
        Whether the decoder has attention.
    upsampling : callable or None
        Function from depth to the head's factor, if the library's is right only for the default
        depth.
    stride : int
        Factor by which heights and widths must be divisible, besides the encoder's own.
    smallest : int
        Smallest height and width of an image, in strides of the encoder.
    prior : bool
        Whether the last bias starts at the log-odds of the classes.
    scales : bool
        Whether it reads the maps of an image at several scales.
    n_spatial : int
        2 for images, 3 for volumes.
    encoder : str or None
        The encoder that it is made for, which is the default.
    """

    model: str | None
    depth: int | None = 5
    depths: tuple[int, int] = (1, 5)
    channels: tuple[int, ...] | int | None = None
    attention: bool = False
    upsampling: Callable[[int], int] | None = None
    stride: int = 1
    smallest: int = 1
    prior: bool = False
    scales: bool = False
    n_spatial: int = N_SPATIAL
    encoder: str | None = None


ARCHITECTURES = {
    "deeplabv3": Architecture(model="DeepLabV3", channels=256),
    "deeplabv3plus": Architecture(model="DeepLabV3Plus", depths=(3, 5), channels=256),
    "dpt": Architecture(model="DPT", depth=4, depths=(4, 4), stride=32),
    "dynunet": Architecture(
        model=None, depth=4, depths=(2, 6), n_spatial=N_SPATIAL_OF_VOLUMES, encoder="dynunet"
    ),
    "fcn": Architecture(model=None),
    "fpn": Architecture(model="FPN", depths=(3, 5), upsampling=lambda depth: 2 ** (depth - 3)),
    "hypercolumn": Architecture(model=None, channels=64, prior=True, scales=True),
    "linknet": Architecture(model="Linknet"),
    "manet": Architecture(model="MAnet", channels=_STAGES),
    "pan": Architecture(model="PAN", depths=(3, 5), channels=32, smallest=8),
    "plain_unet": Architecture(model=None, depth=4, channels=64, encoder="plain"),
    "pspnet": Architecture(model="PSPNet", depth=3, upsampling=lambda depth: 2**depth),
    "segformer": Architecture(model="Segformer", depths=(3, 5)),
    "unet": Architecture(model=None, channels=_STAGES, attention=True),
    "unet3d": Architecture(
        model=None,
        depth=4,
        depths=(1, 6),
        prior=True,
        n_spatial=N_SPATIAL_OF_VOLUMES,
        encoder="residual3d",
    ),
    "unetplusplus": Architecture(
        model="UnetPlusPlus", depths=(2, 5), channels=_STAGES, attention=True
    ),
    "upernet": Architecture(model="UPerNet", depths=(3, 5), channels=256),
    "vit_unet": Architecture(model=None, depth=None, channels=(64, 128, 256, 512, 512), stride=16),
}


def find_architecture(name: str) -> Architecture:
    """Return an architecture by its name.

    Raises
    ------
    ValueError
        If there is none with that name; the error lists all.

    Examples
    --------
    >>> find_architecture("unet").depth
    5
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    close = difflib.get_close_matches(str(name), ARCHITECTURES, n=3)
    guess = f" Did you mean {', '.join(close)}?" if close else ""
    raise ValueError(
        f"No architecture named {name!r}.{guess} Available: {', '.join(ARCHITECTURES)}."
    )
