"""Convolutions that pad as TensorFlow does: timm's networks with names in "tf_"."""

import numpy as np
import pytest
import torch
from timm.layers import Conv2dSame, padding
from torch import nn

import segclf
from segclf.datasets import make_shapes
from segclf.export.graph import graph_of
from segclf.export.same_padding import constant_paddings

SHAPES = make_shapes(4, image_size=32, n_objects=3, random_state=0)


class WholeStrides(nn.Module):
    """Two strided layers, of images padded to whole strides, or as they come."""

    def __init__(self, in_channels, n_classes, *, pads):
        super().__init__()
        self.pads = pads
        self.layers = nn.Sequential(
            Conv2dSame(in_channels, 4, 3, stride=2), Conv2dSame(4, n_classes, 5, stride=2)
        )

    def forward(self, image):
        size = image.shape[2:]
        if self.pads:
            height, width = (-(-side // 4) * 4 for side in size)
            image = nn.functional.pad(image, (0, width - size[1], 0, height - size[0]))
        return nn.functional.interpolate(self.layers(image), size, mode="bilinear")


def padded(in_channels, n_classes):
    return WholeStrides(in_channels, n_classes, pads=True)


def as_they_come(in_channels, n_classes):
    return WholeStrides(in_channels, n_classes, pads=False)


@pytest.mark.parametrize("architecture", [padded, as_they_come])
def test_any_size_is_answered_as_the_network_does(architecture):
    segmenter = segclf.SupervisedSegmenter(architecture=architecture, max_epochs=1, random_state=0)
    segmenter.fit(SHAPES.images, SHAPES.masks)
    program = graph_of(segmenter, None, None).trace()
    for size in [(32, 32), (33, 70), (47, 45)]:
        X = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
        given = program.module(check_guards=False)(torch.from_numpy(X))["mask_probabilities"]
        np.testing.assert_allclose(given, segmenter.predict_proba(X), atol=1e-5)


def test_what_is_padded_to_whole_strides_has_constants():
    segmenter = segclf.SupervisedSegmenter(architecture=padded, max_epochs=1, random_state=0)
    program = graph_of(segmenter.fit(SHAPES.images, SHAPES.masks), None, None).trace()
    pads = [node.args[1] for node in program.graph.nodes if "pad" in str(node.target)]
    assert [pad for pad in pads if all(isinstance(side, int) for side in pad)] == [
        [0, 1, 0, 1],
        [1, 2, 1, 2],
    ]


def test_elsewhere_timm_pads_as_before():
    before = padding.get_same_padding
    with constant_paddings():
        assert padding.get_same_padding(33, 3, 2, 1) == before(33, 3, 2, 1) == 2
        assert padding.get_same_padding(32, 3, 2, 1) == before(32, 3, 2, 1) == 1
    assert padding.get_same_padding is before
