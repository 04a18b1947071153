"""The network that returns one vector for each image, pooled from maps at several depths."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segclf.networks.classification import ClassificationNetwork, make_classification
from segclf.networks.encoders import encoder_key
from segclf.networks.libraries import has_tokens
from segclf.networks.options import resolve_depth
from segclf.networks.pretrained import pretrained
from segclf.networks.weight_sources import find_weights

POOLINGS = ("auto", "mean_max", "model")
_N_MAPS = 2


def embedding_network(
    *,
    encoder: str = "tf_efficientnet_lite0",
    encoder_weights: str | Path | None = None,
    in_channels: int = 3,
    pooling: str = "auto",
) -> "EmbeddingNetwork":
    """Make a network that returns one vector for each image.

    Parameters
    ----------
    encoder, encoder_weights, in_channels
        See :func:`segclf.networks.classification_network`.
    pooling : str
        ``"mean_max"``: mean and maximum of the two deepest maps; ``"model"``: the encoder's own
        pooling, which for a timm model is in its configuration, such as the class token;
        ``"auto"``: ``"model"`` for vision transformers, else ``"mean_max"``.

    Examples
    --------
    >>> embedding_network(encoder="tiny")(torch.zeros(2, 3, 37, 53)).shape
    torch.Size([2, 192])
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling={pooling!r}; expected one of {', '.join(POOLINGS)}.")
    key = encoder_key(encoder)
    weights = find_weights(encoder_weights, key)
    recipe = {"kind": "embedding", "encoder": encoder, "in_channels": int(in_channels)}
    depth = resolve_depth(key, None)
    bare = make_classification(key, {**recipe, "n_classes": 0, "encoder_depth": depth})
    if pooling == "auto":
        pooling = "model" if has_tokens(bare.encoder) else "mean_max"
    return pretrained(EmbeddingNetwork(bare, {**recipe, "pooling": pooling}), weights, key)


class EmbeddingNetwork(ClassificationNetwork):
    """A classification network without a head and with another pooling.

    Made by :func:`embedding_network`.

    Parameters
    ----------
    bare : ClassificationNetwork
        A network without classes, whose encoder is used.
    recipe : dict
        See :class:`ImageNetwork`; with a ``pooling``, ``"mean_max"`` or ``"model"``.
    """

    def __init__(self, bare: ClassificationNetwork, recipe: dict[str, Any]) -> None:
        pools = recipe["pooling"] == "mean_max"
        n_features = 2 * sum(_widths(bare.encoder)) if pools else bare.n_features
        sizes = {"stride": bare.stride, "smallest": bare.smallest}
        super().__init__(bare.encoder, n_features, {**recipe, "n_classes": 0}, **sizes)
        self.recipe = recipe
        self._pools = pools

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps for images ``(n, c, h, w)``, finest first; two from timm."""
        encoder: Any = self.encoder
        by = None
        if not hasattr(encoder, "out_channels"):
            options = {"indices": _N_MAPS, "norm": True, "intermediates_only": True}
            by = partial(encoder.forward_intermediates, **options)
        return list(self.encode(self.prepare(image), by))

    def embed(self, image: Tensor) -> Tensor:
        """Return one vector per image, ``(n, d)``, for images ``(n, c, h, w)``."""
        if not self._pools:
            return super().embed(image)
        *_, finer, deepest = self.features(image)
        maps = (finer, self.deepest(deepest))
        return torch.cat([part for one in maps for part in (one.mean((2, 3)), one.amax((2, 3)))], 1)


def _widths(encoder: Any) -> list[int]:
    """Return the channels of the deepest maps."""
    if hasattr(encoder, "out_channels"):
        return list(encoder.out_channels[-_N_MAPS:])
    return [int(each["num_chs"]) for each in list(encoder.feature_info)[-_N_MAPS:]]
