"""Image networks as summarizers, which classify the mask like an image.

Hooper et al., "Segmentation for classification" (S4C), section 3.2 and appendix A2.2.
"""

from torch import nn

from segclf.networks import classification_network
from segclf_plugins.summarizers.network_summarizer import NetworkSummarizer

__all__ = ["ResNet50Summarizer", "SqueezeNetSummarizer"]


class SqueezeNetSummarizer(NetworkSummarizer):
    """Classify masks by SqueezeNet 1.1, 0.7 million parameters.

    The paper reports neither the version nor the training. ``pretrainer`` may be a file of
    torchvision's weights.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import SqueezeNetSummarizer
    >>> P = np.random.default_rng(0).random((4, 1, 32, 32))
    >>> summarizer = SqueezeNetSummarizer(max_epochs=1, random_state=0).fit(P, [0, 1, 0, 1])
    >>> summarizer.predict_proba(P).shape
    (4, 2)
    """

    def _make_network(self, n_channels: int, size: tuple[int, ...]) -> nn.Module:
        return classification_network(
            encoder="squeezenet1_1", in_channels=n_channels, n_classes=len(self.classes_)
        )


class ResNet50Summarizer(NetworkSummarizer):
    """Classify masks by a ResNet-50, 24 million parameters.

    ``pretrainer`` may be a file of torchvision's weights.
    """

    def _make_network(self, n_channels: int, size: tuple[int, ...]) -> nn.Module:
        return classification_network(
            encoder="resnet50", in_channels=n_channels, n_classes=len(self.classes_)
        )
