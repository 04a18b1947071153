"""The network that returns a score per class for each image."""

from typing import Any

from torch import Tensor, nn

from segclf.axes import axes_from
from segclf.networks.encoders import (
    any_size,
    last_activation,
    make_encoder,
    make_timm,
    smallest_side,
    takes_whole_patches,
    timm_name,
)
from segclf.networks.image_network import ImageNetwork, Sides
from segclf.networks.volume_encoders import is_volume_encoder, make_volume_encoder


class ClassificationNetwork(ImageNetwork):
    """Encoder, mean over its deepest map, and one linear layer; without classes no linear layer.

    Made by :func:`segclf.networks.classification_network`.

    Parameters
    ----------
    encoder : nn.Module
        From image to maps, as in a segmenter; or a timm model without its classifier, to a vector.
    n_features : int
        Length of the vector.
    recipe : dict
        See :class:`ImageNetwork`.
    stride, smallest : int, or (int, int, int) of volumes
        See :class:`ImageNetwork`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_features: int,
        recipe: dict[str, Any],
        *,
        stride: Sides = 1,
        smallest: Sides = 1,
    ) -> None:
        super().__init__(recipe, stride=stride, smallest=smallest)
        self.encoder = encoder
        # A separate module, so that Grad-CAM can read the map that is averaged.
        self.deepest = last_activation(encoder)
        self.n_features = n_features
        n_classes = recipe["n_classes"]
        self.head = nn.Linear(n_features, n_classes) if n_classes else nn.Identity()

    @property
    def turns_maps(self) -> bool:
        """Whether the head sees a map's mean, which turns do not change; then they are skipped."""
        return hasattr(self.encoder, "out_channels")

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(n, k)`` for images ``(n, c, h, w)``; without classes their embedding."""
        logits: Tensor = self.head(self.embed(image))
        return logits

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps for images ``(n, c, h, w)``, finest first.

        A timm model returns only its last map, in timm's layout (tokens for a transformer).
        """
        encoder: Any = self.encoder
        prepared = self.prepare(image)
        # Not recognized by forward_features: some encoders of segmentation-models-pytorch have it,
        # too.
        if hasattr(encoder, "out_channels"):
            return list(encoder(prepared))
        return [encoder.forward_features(prepared)]

    def embed(self, image: Tensor) -> Tensor:
        """Return the vector ``(n, d)`` that the head sees, for images ``(n, c, h, w)``."""
        encoded: Tensor | list[Tensor] = self.encode(self.prepare(image))
        if isinstance(encoded, Tensor):
            return encoded
        deepest: Tensor = self.deepest(encoded[-1])
        return deepest.mean(axes_from(2, deepest))


def make_classification(key: str, recipe: dict[str, Any]) -> ClassificationNetwork:
    """Make such a network from an encoder's key and a recipe, randomly initialized."""
    if is_volume_encoder(key):
        return _volume_network(key, recipe)
    name = timm_name(key)
    return _pooled_network(key, recipe) if name is None else _timm_network(name, recipe)


def _pooled_network(key: str, recipe: dict[str, Any]) -> ClassificationNetwork:
    encoder = make_encoder(key, in_channels=recipe["in_channels"], depth=recipe["encoder_depth"])
    # Any larger size works, since maps are not joined again.
    smallest = max(int(encoder.output_stride), smallest_side(key))
    return ClassificationNetwork(encoder, encoder.out_channels[-1], recipe, smallest=smallest)


def _volume_network(key: str, recipe: dict[str, Any]) -> ClassificationNetwork:
    counts: dict[str, Any] = {"in_channels": recipe["in_channels"]}
    encoder = make_volume_encoder(key, **counts, strides=recipe["encoder_strides"])
    n_features = encoder.out_channels[-1]
    return ClassificationNetwork(encoder, n_features, recipe, smallest=encoder.smallest)


def _timm_network(name: str, recipe: dict[str, Any]) -> ClassificationNetwork:
    encoder = make_timm(name, in_channels=recipe["in_channels"])
    coarsest = max((each["reduction"] for each in encoder.feature_info), default=32)
    n_features = getattr(encoder, "head_hidden_size", None) or encoder.num_features
    stride = coarsest if any_size(name) or takes_whole_patches(encoder) else 1
    return ClassificationNetwork(encoder, n_features, recipe, stride=stride, smallest=coarsest)
