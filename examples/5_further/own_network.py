"""
Bring your own network, loss and augmentation
=============================================

Parameters that take a name also take a function. Here, a small network of dilated
convolutions, torch's own cross-entropy with label smoothing, and an augmentation of three lines
are used in the same training loop as everything else.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.displays import HistoryDisplay, MaskDisplay

shapes = make_shapes(120, image_size=48, n_objects=8, target_radius=5, random_state=0)
X, y, masks = shapes.images, shapes.target, shapes.masks
train, test = slice(0, 80), slice(80, 120)

# %%
# Each fit creates a new network, so pass a function that creates it. The function gets
# the numbers of channels and classes and returns a module that maps images to logits.


def dilated(in_channels, n_classes, width=24):
    """Convolutions that see ever farther, at full resolution."""
    layers = []
    for i, dilation in enumerate((1, 2, 4, 8)):
        channels = in_channels if i == 0 else width
        layers += [
            nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(width, n_classes, 1))


def darker(image, mask, generator):
    """Some images of a batch get less light; masks stay."""
    light = 0.7 + 0.3 * torch.rand(len(image), 1, 1, 1, generator=generator)
    return image * light, mask


segmenter = SupervisedSegmenter(
    architecture=dilated,
    loss=nn.CrossEntropyLoss(label_smoothing=0.02),
    augmentation=darker,
    max_epochs=30,
    learning_rate=1e-2,
    schedule="one_cycle",
)
classifier = SegmentationClassifier(segmenter, random_state=0)
classifier.fit(X[train], y[train], masks=masks[train])
print(f"accuracy {classifier.score(X[test], y[test]):.2f}")

# %%
# Its loss and its masks.

HistoryDisplay.from_estimator(classifier)
plt.show()

# %%
names = ["no circle", "navy circle"]
MaskDisplay.from_estimator(
    classifier, X[test], y[test], masks=masks[test], class_names=names, n_images=10, n_columns=5
)
plt.show()
