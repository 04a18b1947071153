"""Encoders that take images of one size only."""

import torch
from torch import Tensor

from segclf.networks.libraries import import_timm


def explain_size(encoder: str, image: Tensor, error: Exception, *, scaled: bool = False) -> None:
    """Raise an error that names the encoder's only size, if that may be why it failed.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    image : Tensor of shape (n, c, h, w)
        The images that it was given.
    error : Exception
        The error that it raised.
    scaled : bool
        Whether the encoder sees images at several scales.

    Raises
    ------
    ValueError
        If the encoder takes only one size, and images have another one.
    """
    size, given = _only_size(encoder), tuple(image.shape[-2:])
    if isinstance(error, torch.OutOfMemoryError) or size in (None, given):
        return
    height, width = size
    setting = height if height == width else size
    raise ValueError(
        f"encoder={encoder!r} takes only images of {height} x {width} pixels, and was given "
        f"{given[0]} x {given[1]}; set image_size={setting}, and tile_size, if any, likewise"
        f"{', and leave encoder_scales None' if scaled else ''}."
    ) from error


def _only_size(encoder: str) -> tuple[int, int] | None:
    timm = import_timm()
    name = encoder.removeprefix("tu-")
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.fixed_input_size:
        return None
    _, height, width = config.input_size
    return height, width
