"""Operations of encoders, to tell which of two is cheaper without measuring time."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from segclf.isolation import isolated, seeded
from segclf.networks.embedding import embedding_network

_SIDE = 64


def encoder_operations(encoder: str, in_channels: int = 3) -> float:
    """Return the number of floating-point operations of an encoder per pixel of an image.

    They are counted on one image of 64 x 64 pixels, without weights. For vision transformers, the
    number per pixel grows with the image.

    Parameters
    ----------
    encoder : str
        See :func:`segclf.networks.classification_network`.
    in_channels : int
        Number of image channels.

    Examples
    --------
    >>> encoder_operations("tiny") < encoder_operations("resnet18")
    True
    """
    with isolated(), seeded(0), torch.no_grad():
        network = embedding_network(encoder=encoder, in_channels=in_channels).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, in_channels, _SIDE, _SIDE))
    return float(counter.get_total_flops() / _SIDE**2)
