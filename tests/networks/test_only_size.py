"""Encoders of one size say which, on the first images of a fit; those of whole patches get them."""

import pytest
import torch

from segclf import ImageClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.networks import classification_network, segmentation_network
from segclf.networks.only_size import explain_size

SHAPES = make_shapes(2, image_size=32, n_objects=3, random_state=0)
SAYS = "takes only images of 224 x 224 pixels, and was given 32 x 32; set image_size=224"


def test_a_fit_names_the_size_that_the_encoder_takes():
    parameters = {"encoder": "hiera_tiny_224", "max_epochs": 1}
    with pytest.raises(ValueError, match=f"encoder='hiera_tiny_224' {SAYS}"):
        SupervisedSegmenter(**parameters).fit(SHAPES.images, SHAPES.masks)
    with pytest.raises(ValueError, match=f"encoder='hiera_tiny_224' {SAYS}"):
        ImageClassifier(**parameters).fit(SHAPES.images, [0, 1])


@pytest.mark.parametrize(
    ("make", "encoder"),
    [
        (segmentation_network, "hiera_tiny_224"),
        (classification_network, "hiera_tiny_224"),
        (classification_network, "convit_tiny"),
        (classification_network, "mixer_s32_224"),
    ],
)
def test_at_that_size_it_works(make, encoder):
    """On the meta device: shapes alone are computed."""
    with torch.device("meta"):
        network = make(encoder=encoder).eval()
        assert len(network(torch.zeros(1, 3, 224, 224))) == 1
        with pytest.raises(ValueError, match=f"encoder='{encoder}' takes only images of 224 x 224"):
            network(torch.zeros(1, 3, 96, 96))


@pytest.mark.parametrize("size", [(32, 48), (33, 50)])
@pytest.mark.parametrize("encoder", ["samvit_base_patch16", "naflexvit_base_patch16_siglip"])
def test_images_are_padded_to_whole_patches(size, encoder):
    """These take any number of patches, but no part of one."""
    with torch.device("meta"):
        network = classification_network(encoder=encoder).eval()
        assert network(torch.zeros(1, 3, *size)).shape == (1, 2)


def test_other_errors_are_left_alone():
    image = torch.zeros(1, 3, 32, 32)
    explain_size("resnet18", image, RuntimeError())  # takes any size
    explain_size("hiera_tiny_224", torch.zeros(1, 3, 224, 224), RuntimeError())
    explain_size("hiera_tiny_224", image, torch.OutOfMemoryError())
    with pytest.raises(ValueError, match="224"):
        explain_size("tu-hiera_tiny_224", image, RuntimeError())
