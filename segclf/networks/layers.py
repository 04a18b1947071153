"""The maps of a layer of a network: layers by the names of modules, or by preset."""

import difflib
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.axes import are_maps

# In a pair of networks, the first is used.
_PRESETS = {
    "deep": ("encoder", "cnn.encoder"),
    "shallow": ("decoder", "cnn.decoder"),
}
# Maps of these strides see a neighbourhood; finer ones see little more than texture, coarser ones
# the whole image.
LOCAL = "local"
_STRIDES = (6, 20)
_N_CLOSE = 3


def layer_reader(network: nn.Module, layer: str) -> Callable[[Tensor], Tensor]:
    """Return a function from images ``(n, c, h, w)`` to the maps of a layer.

    S4C (appendix A2.2, Table A1) counts depth back from the output: its "deep" layers are
    ``"decoder.blocks.2"`` of a U-Net and ``"encoder.layer2"`` of an FCN, its "shallow" ones, nearer
    to the output, ``"decoder.blocks.4"`` and ``"encoder.layer4"``. The presets here are the same
    for every architecture: "shallow" is S4C's for a U-Net, "deep" is deeper than S4C's.

    Parameters
    ----------
    network : nn.Module
        Network of images; the caller sets it to evaluation mode.
    layer : str
        ``"deep"``: the encoder's last map, as in transfer learning; ``"shallow"``: the decoder's,
        from which the head predicts the mask; both from the first of a pair of networks.
        ``"local"``: the encoder's maps of strides 8 and 16, concatenated at the finer one. Or a
        name in ``network.named_modules()``. The last of several maps is used, and the last output
        if a module is called several times.

    Returns
    -------
    callable
        From images to maps ``(n, d, h', w')`` of the padded images.

    Raises
    ------
    ValueError
        If there is no such module; from the function, if the module returns no maps.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import segmentation_network
    >>> network = segmentation_network(encoder="tiny").eval()
    >>> [tuple(layer_reader(network, name)(torch.zeros(1, 3, 32, 32)).shape)
    ...  for name in ("deep", "shallow", "encoder.stages.1")]
    [(1, 64, 4, 4), (1, 16, 32, 32), (1, 32, 8, 8)]
    """
    modules: dict[str, Any] = dict(network.named_modules())
    if layer == LOCAL:
        return _local_reader(modules)
    name = next((each for each in _PRESETS.get(layer, ()) if each in modules), layer)
    if name not in modules:
        raise ValueError(_unknown(layer, modules))
    # For a layer of the encoder, only the encoder needs to be computed.
    run: Any = modules[""].features if name.startswith("encoder") else network

    def read(image: Tensor) -> Tensor:
        said: list[Any] = []
        handle = modules[name].register_forward_hook(lambda _, __, output: said.append(output))
        try:
            run(image)
        finally:
            handle.remove()
        return _map(said[-1] if said else None, layer)

    return read


def _local_reader(modules: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    network = modules[""] if hasattr(modules[""], "features") else modules["cnn"]

    def read(image: Tensor) -> Tensor:
        maps = _last_of_each_size([each for each in network.features(image) if each.shape[1]])
        strides = [maps[0].shape[-1] / each.shape[-1] for each in maps]
        low, high = _STRIDES
        chosen = [m for m, s in zip(maps, strides, strict=True) if low <= s <= high] or maps[-1:]
        size = chosen[0].shape[2:]
        return torch.cat([F.interpolate(each, size, mode="nearest") for each in chosen], dim=1)

    return read


def _last_of_each_size(maps: list[Tensor]) -> list[Tensor]:
    """Choose the last of the maps of each size, such as those of a transformer's blocks."""
    chosen: list[Tensor] = []
    for each in maps:  # no dict: free sizes of a graph have no hash
        sizes = [other.shape[2:] for other in chosen]
        if each.shape[2:] in sizes:
            chosen[sizes.index(each.shape[2:])] = each
        else:
            chosen.append(each)
    return chosen


def _map(said: Any, layer: str) -> Tensor:
    """Take the maps (n, d, h, w) from a module's output; from encoders, the deepest ones."""
    while isinstance(said, list | tuple) and said:
        # Some encoders return their maps together with tokens.
        said = said[0] if isinstance(said, tuple) else said[-1]
    if not isinstance(said, Tensor) or not are_maps(said):
        given = f"shape {tuple(said.shape)}" if isinstance(said, Tensor) else type(said).__name__
        raise ValueError(f"Layer {layer!r} returns {given}; expected maps of shape (n, d, h, w).")
    return said


def _unknown(layer: str, modules: dict[str, Any]) -> str:
    presets = [name for name, places in _PRESETS.items() if any(p in modules for p in places)]
    close = difflib.get_close_matches(layer, modules, n=_N_CLOSE)
    guess = f" Did you mean {', '.join(close)}?" if close else ""
    top = [name for name in modules if name and name.count(".") < 2]
    return (
        f"No layer named {layer!r}.{guess} Available: {', '.join([*presets, *top])}, and the "
        "modules inside these, by the names of network_.named_modules()."
    )
