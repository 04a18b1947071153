"""Choose bf16 or fp32 for a network on this machine, by a rule: a measurement would vary."""

import torch
from torch import nn

from segclf.objectives import Batch, Objective

PRECISIONS = ("bf16", "fp16", "fp32")
MINIMAL_WORK = {"cpu": 5e9, "cuda": 1e12}
MAXIMAL_DEPTHWISE = 0.02


def choose_precision(
    precision: str, objective: Objective, batch: Batch, device: torch.device
) -> str:
    """Return "fp32", "bf16" or "fp16".

    "auto" is bf16 if three conditions hold, else fp32. The device computes in bf16 natively: a CPU
    that reports it, or CUDA. There is enough to gain: convolution weights times pixels of a batch
    are at least 5e9 (a U-Net with a ResNet-18 reaches that with one image of 32 x 32), or 1e12 on
    CUDA. And on a CPU, depthwise kernels, whose gradients are slower in bf16, are at most 2 % of
    the trainable parameters. "auto" is never fp16, which needs a scaled loss.

    Raises
    ------
    ValueError
        If `precision` is not "auto", "bf16", "fp16" or "fp32".

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification
    >>> from segclf.training import choose_precision
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> choose_precision("auto", objective, {"image": torch.zeros(1, 3, 8, 8)}, torch.device("cpu"))
    'fp32'
    """
    if precision in PRECISIONS:
        return precision
    if precision != "auto":
        names = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"precision must be 'auto', {names}, got {precision!r}.")
    image = batch["image"]
    n_pixels = image.shape[0] * image.shape[2:].numel()
    wins = (
        has_native_bf16(device)
        and _kernels(objective) * n_pixels >= MINIMAL_WORK[device.type]
        and (device.type != "cpu" or _depthwise_share(objective) <= MAXIMAL_DEPTHWISE)
    )
    return "bf16" if wins else "fp32"


def has_native_bf16(device: torch.device) -> bool:
    """Tell whether the device computes in bf16 natively, rather than emulating it.

    Examples
    --------
    >>> import torch
    >>> from segclf.training import has_native_bf16
    >>> has_native_bf16(torch.device("cpu")) in (True, False)
    True
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return any(found.get(flag) for flag in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _kernels(objective: nn.Module) -> int:
    """Return the number of convolution weights, without depthwise ones."""
    return sum(each.weight.numel() for each in _convolutions(objective) if not _is_depthwise(each))


def _depthwise_share(objective: nn.Module) -> float:
    """Return the share of the trainable parameters that is depthwise kernels."""
    kernels = (each.weight for each in _convolutions(objective) if _is_depthwise(each))
    depthwise = sum(kernel.numel() for kernel in kernels if kernel.requires_grad)
    learned = sum(each.numel() for each in objective.parameters() if each.requires_grad)
    return depthwise / max(learned, 1)


def _convolutions(objective: nn.Module) -> list[nn.Conv2d | nn.Conv3d]:
    return [each for each in objective.modules() if isinstance(each, nn.Conv2d | nn.Conv3d)]


def _is_depthwise(convolution: nn.Conv2d | nn.Conv3d) -> bool:
    return convolution.groups == convolution.in_channels > 1
