"""Pretrained weights from a local file: an encoder's tensors, matched by name, type and shape
before any of them is read.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from segclf.networks.stored import Stored
from segclf.networks.stored_tensors import stored_tensors

# Counters that files from before PyTorch 0.4 lack, and that are not used here.
_OPTIONAL = "num_batches_tracked"
# torchvision's DenseNet files have "denselayer1.norm.1" for its modules' "denselayer1.norm1".
_OLD_DENSENET = re.compile(r"(denselayer\d+_(?:norm|relu|conv))_([12]_)")
_N_SHOWN = 3
# An encoder's names, each with the matching name in the file and its tensor.
Found = dict[str, tuple[str, Tensor]]


def weights_file(encoder_weights: str | Path | None) -> Path | None:
    """Return the file `encoder_weights`, checked before anything is built.

    Parameters
    ----------
    encoder_weights : str, Path or None
        None means random initialization.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message lists what is expected.
    """
    if encoder_weights is None:
        return None
    path = Path(str(encoder_weights)).expanduser()
    if path.is_file():
        return path
    if path.exists():
        raise FileNotFoundError(f"encoder_weights={str(encoder_weights)!r} is not a regular file.")
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(f"encoder_weights={str(encoder_weights)!r}: there is no such file.")
    raise FileNotFoundError(
        f"encoder_weights={encoder_weights!r} is neither a file nor a name of weights. Expected "
        "'imagenet'; 'timm/' and the name of a model of timm, such as 'timm/resnet18.a1_in1k'; the "
        "path of a file (a state dict of torch, or safetensors); or None to start from scratch."
    )


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read every tensor of a file; those in nested dictionaries get dotted names.

    Parameters
    ----------
    path : str or Path
        ``.safetensors``, or a file of `torch.save` with only tensors and plain values.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged, or holds anything but tensors and plain values.

    Examples
    --------
    >>> from pathlib import Path
    >>> import torch
    >>> from safetensors.torch import save
    >>> from segclf.networks import read_tensors
    >>> _ = Path("weights.safetensors").write_bytes(save({"layer.bias": torch.zeros(2)}))
    >>> read_tensors("weights.safetensors")
    {'layer.bias': tensor([0., 0.])}
    """
    return read_all(list_tensors(path), path)


def list_tensors(path: str | Path) -> dict[str, Stored]:
    """Return the tensors of a file, unread, as :func:`read_tensors` does."""
    path = Path(path)
    try:
        return stored_tensors(path)
    except OSError:
        raise  # the message already names the file
    except Exception as error:  # a damaged file may raise any error
        raise ValueError(
            f"{path} cannot be read as weights: {error}. Expected safetensors, or a state dict "
            "saved by torch.save that holds nothing but tensors and plain values."
        ) from error


def read_all(stored: Mapping[str, Stored], path: str | Path) -> dict[str, Tensor]:
    """Read tensors of a file.

    Raises
    ------
    ValueError
        If the file is damaged, or a value is not finite; the message names the tensor.
    """
    try:
        tensors = {name: each.read() for name, each in stored.items()}
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as weights: {error}.") from error
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ValueError(f"{path} holds NaN or infinity in {name}.")
    return tensors


def _is_finite(tensor: Tensor) -> bool:
    small = tensor.is_floating_point() and tensor.dtype.itemsize == 1
    return bool((tensor.float() if small else tensor).isfinite().all())


def load_weights(encoder: nn.Module, path: str | Path, *, allow_deeper: bool = False) -> None:
    """Fill all tensors of an encoder from a file, or raise.

    Names may have any prefix (``module.``, ``encoder.``, ``backbone.``): the one with most matching
    names is used. Tensors outside the encoder (a classifier, a decoder) are ignored. The first
    convolution is adapted by :func:`adapt_first_convolution`.

    Parameters
    ----------
    encoder : nn.Module
        Changed in place.
    path : str or Path
        See :func:`read_tensors`; only the tensors that the encoder needs are read.
    allow_deeper : bool
        Whether `encoder` is the shallow part of the network in the file, so that further tensors in
        its stages do not mean a wrong file.

    Raises
    ------
    ValueError
        If a tensor is missing, has another shape or is not finite, or the file belongs to a deeper
        network; with counts and names.

    Examples
    --------
    >>> from pathlib import Path
    >>> from safetensors.torch import save
    >>> from segclf.networks import load_weights, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> _ = Path("weights.safetensors").write_bytes(save(network.encoder.state_dict()))
    >>> load_weights(network.encoder, "weights.safetensors")
    """
    fill(encoder, list_tensors(path), path, allow_deeper=allow_deeper)


def fill(
    encoder: nn.Module, given: Mapping[str, Stored], path: str | Path, *, allow_deeper: bool = False
) -> None:
    """Fill an encoder from the tensors of a file, as :func:`load_weights` does."""
    found = find_all(encoder, without_numbers(given), path, allow_deeper=allow_deeper)
    places = {theirs: given[theirs] for theirs, _ in found.values()}
    tensors = read_all(places, path)
    own = encoder.state_dict()
    with torch.no_grad():
        for name, (theirs, _) in found.items():
            own[name].copy_(adapt_first_convolution(tensors[theirs], own[name].shape))


def without_numbers(given: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Return tensors of the same types and shapes, without memory."""
    return {name: each.meta for name, each in given.items()}


def find_all(
    encoder: nn.Module, given: Mapping[str, Tensor], path: str | Path, *, allow_deeper: bool = False
) -> Found:
    """Find every tensor of an encoder among those of a file, or raise; see :func:`load_weights`."""
    own = encoder.state_dict()
    found, unused = find(encoder, given)
    problems = _problems(own, found, [] if allow_deeper else unused)
    if problems:
        raise ValueError(
            f"{path} does not fit this encoder: the file has {len(found)} of its {len(own)} "
            f"tensors; {'; '.join(problems)}. The file holds {_some(given)}."
        )
    return found


def find(encoder: nn.Module, given: Mapping[str, Tensor]) -> tuple[Found, list[str]]:
    """Find an encoder's tensors among others, with any prefix.

    Parameters
    ----------
    encoder : nn.Module
        Encoder whose names and shapes are looked for.
    given : mapping of str to Tensor
        Tensors to search.

    Returns
    -------
    found : dict
        For each name of the encoder, the name found and its tensor; a first convolution with
        another number of channels is adapted.
    unused : list of str
        Names in the same stages that were not used.
    """
    own = encoder.state_dict()
    names, unused = _match(own, given)
    found = {name: (theirs, given[theirs]) for name, theirs in names.items()}
    first = _first_convolution(encoder)
    if first in found:
        theirs, weight = found[first]
        found[first] = theirs, adapt_first_convolution(weight, own[first].shape)
    return found, unused


def adapt_first_convolution(weight: Tensor, shape: torch.Size) -> Tensor:
    """Adapt a first convolution's weight to images with another number of channels.

    For one channel, weights are summed over the old channels, so that a gray image gives the same
    response as a color image with three equal channels. For other numbers, the old channels are
    repeated and scaled by old / new, which keeps the size of the response.

    Parameters
    ----------
    weight : Tensor of shape (o, c, kh, kw)
        Weight from the file.
    shape : torch.Size
        Shape in the network.

    Returns
    -------
    Tensor
        The adapted weight; `weight` itself if more than the number of channels differs.

    Examples
    --------
    >>> weight = torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1)
    >>> adapt_first_convolution(weight, torch.Size([1, 1, 1, 1])).flatten().tolist()
    [7.0]
    >>> adapt_first_convolution(weight, torch.Size([1, 6, 1, 1])).flatten().tolist()
    [0.5, 1.0, 2.0, 0.5, 1.0, 2.0]
    """
    others_differ = len(shape) != 4 or weight.shape[::2] != shape[::2]
    if others_differ or weight.shape[-1] != shape[-1] or weight.shape[1] == shape[1]:
        return weight
    before, after = weight.shape[1], shape[1]
    if after == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, torch.arange(after) % before] * (before / after)


def _match(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> tuple[dict[str, str], list[str]]:
    """Return the file's names by the encoder's, and unused ones in the same stages."""
    names = {_canonical(name): name for name in given}
    prefix = _prefix([_canonical(name) for name in own], names)
    chosen = {name: names.pop(prefix + _canonical(name), None) for name in own}
    found = {name: theirs for name, theirs in chosen.items() if theirs is not None}
    # timm's classifier is in its own stage "head", next to a norm.
    stages = tuple({f"{prefix}{name.split('.')[0]}_" for name in found} - {f"{prefix}head_"})
    return found, [theirs for name, theirs in names.items() if name.startswith(stages)]


def _prefix(own: list[str], given: Collection[str]) -> str:
    anchor = next((name for name in own if any(each.endswith(name) for each in given)), "")
    ends = [each.removesuffix(anchor) for each in given if each.endswith(anchor)]
    prefixes = [each for each in ends if not each or each.endswith("_")]
    return max(prefixes, key=lambda each: sum(each + name in given for name in own), default="")


def _problems(own: Mapping[str, Tensor], found: Found, unused: list[str]) -> list[str]:
    missing = [name for name in own if name not in found and not name.endswith(_OPTIONAL)]
    misshapen = [
        f"{name} {tuple(tensor.shape)} in the file, {tuple(own[name].shape)} here"
        for name, (_, tensor) in found.items()
        if tensor.shape != own[name].shape
    ]
    named = {"missing": missing, "of another shape": misshapen, "left over": unused}
    return [f"{len(names)} {what}: {_some(names)}" for what, names in named.items() if names]


def _some(names: Collection[str]) -> str:
    more = len(names) - _N_SHOWN
    return ", ".join(list(names)[:_N_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _first_convolution(encoder: nn.Module) -> str:
    names = (name for name, each in encoder.named_modules() if isinstance(each, nn.Conv2d))
    return f"{next(names, '')}.weight"


def _canonical(name: str) -> str:
    # timm joins nested names by "_" in feature extractors, by "." elsewhere.
    return _OLD_DENSENET.sub(r"\1\2", name.replace(".", "_"))
