"""Summarizers that classify the feature maps of the frozen segmenter instead of its masks.

This is transfer learning from a segmenter. Hooper et al., "Segmentation for classification" (S4C),
section 3.2 and appendix A2.2.
"""

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import nn

from segclf.networks import map_classifier
from segclf_plugins.summarizers.network_summarizer import NetworkSummarizer

__all__ = ["EmbeddingSummarizer"]


class EmbeddingSummarizer(NetworkSummarizer):
    """Classify the maps of one of the segmenter's layers.

    In the paper these are worse than summarizers of masks (section 4.2).

    Parameters
    ----------
    layer : str, default="deep"
        The layer whose maps `SegmentationClassifier` passes: "deep", "shallow" or the name of a
        module; see `segclf.networks.layer_reader`, also for the paper's layers.
    head : {"simple", "complex"}, default="simple"
        See `segclf.networks.map_classifier`.
    learning_rate : float
        Learning rate of 1e-3; the paper does not report its own.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import EmbeddingSummarizer
    >>> P = np.random.default_rng(0).random((4, 64, 8, 8))
    >>> summarizer = EmbeddingSummarizer(head="complex", max_epochs=1, random_state=0)
    >>> summarizer.fit(P, [0, 1, 0, 1]).predict_proba(P).shape
    (4, 2)
    """

    layer: str = "deep"
    head: str = "simple"
    learning_rate: float = 1e-3

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "layer": [str],
        "head": [StrOptions({"complex", "simple"})],
    }

    def _make_network(self, n_channels: int, size: tuple[int, ...]) -> nn.Module:
        return map_classifier(
            head=self.head, in_channels=n_channels, size=size, n_classes=len(self.classes_)
        )
