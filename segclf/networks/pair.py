"""Two networks side by side, kept and handed on as one."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from segclf.networks.classification import ClassificationNetwork
from segclf.networks.segmentation import SegmentationNetwork


class PairNetwork(nn.Module):
    """A convolutional network and a transformer that see the same images.

    :func:`segclf.networks.build` makes it again from its recipe;
    :func:`segclf.networks.transfer` takes the one of the two that has the target's encoder.

    Parameters
    ----------
    cnn, transformer : ClassificationNetwork
        Each normalizes and pads images itself, so that both take images of any size.

    Attributes
    ----------
    recipe : dict
        What :func:`segclf.networks.build` needs to make this pair again; JSON-able.
    n_features : int
        Length of the vectors that :meth:`embed` returns: the sum of the two.

    Examples
    --------
    >>> from segclf.networks import classification_network
    >>> names = ("tiny", "tiny_vit")
    >>> pair = PairNetwork(*(classification_network(encoder=name, n_classes=0) for name in names))
    >>> pair.embed(torch.zeros(2, 3, 5, 7)).shape
    torch.Size([2, 96])
    """

    def __init__(self, cnn: ClassificationNetwork, transformer: ClassificationNetwork) -> None:
        super().__init__()
        self.cnn = cnn
        self.transformer = transformer
        self.recipe: dict[str, Any] = {
            "kind": "pair",
            "cnn": cnn.recipe,
            "transformer": transformer.recipe,
        }
        self.n_features = cnn.n_features + transformer.n_features

    def forward(self, image: Tensor) -> Tensor:
        """Return the embedding."""
        return self.embed(image)

    def embed(self, image: Tensor) -> Tensor:
        """Return both vectors of images ``(n, c, h, w)`` joined, ``(n, d)``, the CNN's first."""
        return torch.cat([self.cnn.embed(image), self.transformer.embed(image)], dim=1)


class SegmentationPair(nn.Module):
    """Two segmentation networks that predict the mean of their probabilities.

    :func:`segclf.networks.build` makes it again from its recipe;
    :func:`segclf.networks.transfer` takes the one of the two that has the target's encoder.

    Parameters
    ----------
    cnn, transformer : SegmentationNetwork
        Networks with the same classes.
    multilabel : bool
        Whether probabilities come from a sigmoid; otherwise from a softmax.

    Attributes
    ----------
    recipe : dict
        What :func:`segclf.networks.build` needs to make this pair again; JSON-able.
    n_features : int
        Length of the vectors that :meth:`embed` returns: the sum of the two.

    Examples
    --------
    >>> from segclf.networks import segmentation_network
    >>> networks = [segmentation_network(encoder="tiny") for _ in range(2)]
    >>> pair, image = SegmentationPair(*networks, multilabel=False), torch.rand(1, 3, 5, 7)
    >>> mean = sum(network(image).softmax(1) for network in networks) / 2
    >>> torch.allclose(pair(image).softmax(1), mean)
    True
    """

    def __init__(
        self, cnn: SegmentationNetwork, transformer: SegmentationNetwork, *, multilabel: bool
    ) -> None:
        super().__init__()
        self.cnn = cnn
        self.transformer = transformer
        self.multilabel = multilabel
        self.recipe: dict[str, Any] = {
            "kind": "segmentation_pair",
            "cnn": cnn.recipe,
            "transformer": transformer.recipe,
            "multilabel": multilabel,
        }
        self.n_features = cnn.n_features + transformer.n_features

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(n, k, h, w)`` of the mean probability, float32."""
        one, other = self.cnn(image).float(), self.transformer(image).float()
        if not self.multilabel:
            return torch.logaddexp(log_softmax(one, dim=1), log_softmax(other, dim=1))
        yes = torch.logaddexp(logsigmoid(one), logsigmoid(other))
        return yes - torch.logaddexp(logsigmoid(-one), logsigmoid(-other))

    def embed(self, image: Tensor) -> Tensor:
        """Return both vectors of images ``(n, c, h, w)`` joined, ``(n, d)``, the CNN's first."""
        return torch.cat([self.cnn.embed(image), self.transformer.embed(image)], dim=1)
