"""Grad-CAM: the places in an image that a network's score of a class depends on.

Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017, section 3: the maps of a layer, each weighted by the mean of the score's
gradient over it, summed, and rectified.
"""

import difflib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.axes import are_maps, are_tokens
from segclf.networks.classification import ClassificationNetwork
from segclf.networks.image_network import ImageNetwork, padded
from segclf.networks.libraries import is_vision_transformer

Size = tuple[int, int]


def grad_cam(
    network: nn.Module,
    image: Tensor,
    *,
    layer: str | None = None,
    score: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Compute a saliency map for each class: ReLU of ``sum_k mean(dscore / dA_k) A_k``.

    For a layer that is averaged and followed by a linear layer w, that is ``w A / (h w)``,
    rectified: the class activation map of Zhou et al. (CVPR 2016), divided by its number of pixels.

    The network runs in evaluation mode. Its mode, its gradients and their requirements are then as
    before. Only the part after the layer is differentiated.

    Parameters
    ----------
    network : nn.Module
        From images to class scores.
    image : Tensor of shape (n, c, h, w)
        The images.
    layer : str or None
        Name of a module (as in ``network.named_modules()``) that returns maps ``(n, d, h, w)``, or
        the tokens ``(n, l, d)`` of a transformer in rows, after any class tokens. Its output is
        read after all modules have run, so it includes an in-place ReLU, such as the one after
        ``features.norm5`` in torchvision's DenseNet. None is the network's last layer with maps;
        only for networks of :func:`segclf.networks.classification_network`.
    score : callable, optional
        From the network's output to the scores ``(n, k)`` that are differentiated; None takes the
        output itself. With ``torch.sigmoid``, maps are those of the logits times ``p (1 - p)``.

    Returns
    -------
    Tensor of shape (n, k, h', w')
        float, not negative; of the layer's height and width, or of the images' if the network pads
        them.

    Raises
    ------
    ValueError
        If there is no such layer, it returns no maps, or the score does not depend on it.

    Examples
    --------
    >>> network = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> grad_cam(network, torch.tensor([[[[4.0, -8.0]], [[0.0, 2.0]]]]), layer="0")
    tensor([[[[2., 0.]],
    <BLANKLINE>
             [[0., 1.]]]])
    """
    name = last_layer(network) if layer is None else layer
    size = _padded_size(network, image)
    with torch.inference_mode(False), _evaluating(network):
        features, output = _run(network, name, image.clone())
        with torch.enable_grad():
            scores = output if score is None else score(output)
        maps = [_class_map(total, features, network, size) for total in scores.sum(0)]
    return _cropped(torch.stack(maps, dim=1).detach(), size, image)


def last_layer(network: nn.Module) -> str:
    """Return the name of the last layer of a network that returns maps.

    For segmentation-models-pytorch's encoders it is the map that is averaged, after DenseNet's last
    ReLU; for a plain vision transformer the input tokens of the last block's attention, since only
    the class token is used after that; for any other timm model the last of its `feature_info`.

    Parameters
    ----------
    network : nn.Module
        Made by :func:`segclf.networks.classification_network`.

    Returns
    -------
    str
        Name for :func:`grad_cam`.

    Raises
    ------
    ValueError
        For any other network.

    Examples
    --------
    >>> from segclf.networks import classification_network
    >>> last_layer(classification_network(encoder="test_resnet"))
    'encoder.layer4'
    """
    if not isinstance(network, ClassificationNetwork):
        names = ", ".join(name for name, _ in network.named_children())
        raise ValueError(
            f"{type(network).__name__} has no known layer of maps; pass layer=. Its parts are: "
            f"{names}."
        )
    encoder: Any = network.encoder
    if hasattr(encoder, "out_channels"):
        return "deepest"
    if is_vision_transformer(encoder):
        return f"encoder.blocks.{len(encoder.blocks) - 1}.norm1"
    return f"encoder.{encoder.feature_info[-1]['module']}"


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Run in evaluation mode, then restore the mode of every module."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _run(network: nn.Module, name: str, image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the layer's output, and the network's as a function of it."""
    caught: list[Tensor] = []

    def catch(module: nn.Module, inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor) or not (are_maps(output) or are_tokens(output)):
            given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"The layer {name!r} returns {given}; expected maps (n, d, h, w), or tokens "
                "(n, l, d)."
            )
        torch.set_grad_enabled(True)  # until no_grad below ends
        # A copy, since a leaf must not be changed in place.
        caught.append(output.detach().requires_grad_().clone())
        return caught[-1]

    handle = _find(network, name).register_forward_hook(catch)
    try:
        with torch.no_grad():
            output = network(image)
    finally:
        handle.remove()
    if not caught:
        raise ValueError(f"The layer {name!r} is not run by the network.")
    return caught[-1], output


def _find(network: nn.Module, name: str) -> nn.Module:
    modules = dict(network.named_modules())
    if name not in modules:
        close = difflib.get_close_matches(name, modules, n=4) or list(modules)[-4:]
        raise ValueError(
            f"No layer {name!r} in {type(network).__name__}; similar or other names: "
            f"{', '.join(close)}."
        )
    return modules[name]


def _class_map(total: Tensor, features: Tensor, network: nn.Module, size: Size) -> Tensor:
    """Weigh the maps (n, d, h, w) of a layer by the gradient of one class's score."""
    gradient = None
    if total.requires_grad:
        gradient = torch.autograd.grad(total, features, retain_graph=True, allow_unused=True)[0]
    if gradient is None:
        raise ValueError("The scores do not depend on the output of the layer.")
    weights = _as_maps(gradient, network, size).mean((2, 3), keepdim=True)
    return (weights * _as_maps(features, network, size)).sum(1).relu()


def _as_maps(features: Tensor, network: nn.Module, size: Size) -> Tensor:
    """Reshape tokens, and maps with channels last, to (n, d, h, w)."""
    if are_maps(features):
        timm_model = getattr(network, "encoder", network)
        channels_last = getattr(timm_model, "output_fmt", "") == "NHWC"
        return features.movedim(-1, 1) if channels_last else features
    # There are too few class tokens to change the computed side of a patch.
    patch = math.ceil(math.sqrt(size[0] * size[1] / features.shape[1]))
    height, width = size[0] // patch, size[1] // patch
    return features[:, -height * width :].movedim(-1, 1).unflatten(2, (height, width))


def _padded_size(network: nn.Module, image: Tensor) -> Size:
    """Return the height and width that the layers see."""
    if isinstance(network, ImageNetwork):
        image = padded(image[:1, :1], stride=network.stride, smallest=network.smallest)
    return image.shape[2], image.shape[3]


def _cropped(maps: Tensor, size: Size, image: Tensor) -> Tensor:
    """Remove rows and columns on padding, beyond the image's height and width."""
    height, width = image.shape[2:]
    if size == (height, width):
        return maps
    return F.interpolate(maps, size, mode="bilinear")[..., :height, :width]
