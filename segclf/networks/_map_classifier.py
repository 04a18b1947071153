"""From a map of many channels, such as a segmenter's embeddings, to a score per class.

Hooper et al., "Segmentation for classification" (S4C), appendix A2.2: its simple head, and its
complex head, which is from the paper's reference [20].
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from segclf.networks.image_network import ImageNetwork

HEADS = ("complex", "simple")
_N_BLOCKS = 3
_CHANNELS = 16
_WIDTH = 100
_DROPOUT = 0.25


class MapClassifier(ImageNetwork):
    """The simple or the complex head of S4C on maps of one size, which it normalizes.

    Made by :func:`segclf.networks.map_classifier`.

    Parameters
    ----------
    recipe : dict
        See :class:`ImageNetwork`.
    """

    def __init__(self, recipe: dict[str, Any]) -> None:
        super().__init__(recipe)
        in_channels = recipe["in_channels"]
        self.n_features = _WIDTH
        if recipe["head"] == "simple":
            self.encoder: nn.Module = nn.Identity()
            self.neck = _simple_neck(in_channels)
        else:
            height, width = (-(-side // 2**_N_BLOCKS) for side in recipe["size"])
            self.encoder = _blocks(in_channels)
            self.neck = _complex_neck(_CHANNELS * height * width)
        self.head = nn.Linear(_WIDTH, recipe["n_classes"])

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(n, k)`` for maps ``(n, c, h, w)``."""
        logits: Tensor = self.head(self.embed(image))
        return logits

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the map after the convolutions, for maps ``(n, c, h, w)``."""
        return [self.encoder(self.prepare(image))]

    def embed(self, image: Tensor) -> Tensor:
        """Return the vector ``(n, 100)`` that the last linear layer sees."""
        vector: Tensor = self.neck(self.features(image)[-1])
        return vector


def map_classifier(
    *, head: str = "simple", in_channels: int, size: Sequence[int], n_classes: int = 2
) -> MapClassifier:
    """Make a network that returns a score per class for a map of many channels.

    See S4C, appendix A2.2. The paper does not state the width of the simple head; here it is 100,
    as in the complex head. Pooling in the complex head rounds odd sides up here, so that maps may
    have any size.

    Parameters
    ----------
    head : {"simple", "complex"}
        ``"simple"``: the mean over the map, then three linear layers with ReLUs between them.
        ``"complex"``: three blocks of a 3 x 3 convolution to 16 channels, batch normalization, ReLU
        and 2 x 2 maximum pooling; two of a linear layer to 100 features, batch normalization, ReLU
        and dropout of .25; a linear layer.
    in_channels : int
        Channels of the maps.
    size : (int, int)
        Height and width of the maps.
    n_classes : int
        Length of the scores.

    Raises
    ------
    ValueError
        For an unknown head.

    Examples
    --------
    >>> import torch
    >>> network = map_classifier(head="complex", in_channels=512, size=(7, 7), n_classes=3)
    >>> network(torch.zeros(2, 512, 7, 7)).shape
    torch.Size([2, 3])
    """
    if head not in HEADS:
        raise ValueError(f"head={head!r}; expected one of {', '.join(HEADS)}.")
    recipe = {"kind": "map_classifier", "head": head, "in_channels": int(in_channels)}
    return MapClassifier({**recipe, "size": [int(s) for s in size], "n_classes": int(n_classes)})


def _simple_neck(in_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(in_channels, _WIDTH),
        nn.ReLU(),
        nn.Linear(_WIDTH, _WIDTH),
        nn.ReLU(),
    )


def _blocks(in_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((in_channels, *_N_BLOCKS * (_CHANNELS,))):
        layers += [
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            # The deepest maps have 7 x 7 pixels or fewer; rounding down would leave nothing.
            nn.MaxPool2d(2, ceil_mode=True),
        ]
    return nn.Sequential(*layers)


def _complex_neck(length: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((length, _WIDTH, _WIDTH)):
        layers += [
            nn.Linear(before, after),
            nn.BatchNorm1d(after),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
        ]
    return nn.Sequential(*layers)
