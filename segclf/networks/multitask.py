"""One encoder with two heads: a decoder that predicts masks, and a linear layer for labels."""

from typing import Any

from torch import Tensor, nn

from segclf.distributed import in_shares
from segclf.networks.segmentation import SegmentationNetwork


class MultitaskNetwork(nn.Module):
    """A segmentation network whose encoder also returns a score per class for each image.

    :func:`segclf.networks.build` makes it again from its recipe; :func:`segclf.networks.transfer`
    uses its segmentation network.

    Parameters
    ----------
    segmentation : SegmentationNetwork
        From images to pixel scores.
    n_labels : int
        Number of classes of whole images.

    Attributes
    ----------
    recipe : dict
        What :func:`segclf.networks.build` needs to make this network again; JSON-able.
    n_features : int
        Length of the vectors that :meth:`embed` returns.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import segmentation_network
    >>> network = MultitaskNetwork(segmentation_network(encoder="tiny", n_classes=2), n_labels=3)
    >>> [tuple(scores.shape) for scores in network.both(torch.zeros(1, 3, 5, 7))]
    [(1, 2, 5, 7), (1, 3)]
    """

    def __init__(self, segmentation: SegmentationNetwork, *, n_labels: int) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.label_head = nn.Linear(segmentation.n_features, n_labels)
        self.n_features = segmentation.n_features
        self.recipe: dict[str, Any] = {
            "kind": "multitask",
            "segmentation": segmentation.recipe,
            "n_labels": n_labels,
        }

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores ``(n, n_labels)`` for images ``(n, c, h, w)``, without the decoder."""
        scores: Tensor = self.label_head(self.embed(image))
        return scores

    def both(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return pixel scores ``(n, k, h, w)`` and image scores ``(n, n_labels)``."""
        pixels, vectors = in_shares(self.segmentation.forward_and_embed, image)
        return pixels, self.label_head(vectors)

    def embed(self, image: Tensor) -> Tensor:
        """Return the deepest map's mean, ``(n, d)``, for images ``(n, c, h, w)``."""
        return self.segmentation.embed(image)
