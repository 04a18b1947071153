import pytest
import torch
from lightly.models.modules import heads as lightly_heads
from torch import nn

from segclf.networks import projection_head


def shapes(module):
    """Of the weights, without the biases that a normalization takes away again."""
    return [tuple(p.shape) for layer in module.modules() for p in parameters(layer)]


def parameters(layer):
    return layer.parameters(recurse=False) if not isinstance(layer, nn.Linear) else [layer.weight]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (projection_head((32, 64, 16)), lightly_heads.BYOLProjectionHead(32, 64, 16)),
        (projection_head((16, 64, 16)), lightly_heads.BYOLPredictionHead(16, 64, 16)),
        (
            projection_head((32, 64, 64, 16), last_norm=True, last_affine=False),
            lightly_heads.SimSiamProjectionHead(32, 64, 16),
        ),
        (projection_head((16, 8, 16)), lightly_heads.SimSiamPredictionHead(16, 8, 16)),
        (projection_head((32, 32, 16), norm=False), lightly_heads.MoCoProjectionHead(32, 32, 16)),
    ],
    ids=["byol", "byol_predictor", "simsiam", "simsiam_predictor", "moco"],
)
def test_layers_are_those_of_the_papers(ours, theirs):
    assert shapes(ours) == shapes(theirs)
    kinds = [type(layer) for layer in ours]
    assert kinds == [type(layer) for layer in theirs.layers]


def test_two_sizes_are_one_linear_layer():
    head = projection_head((4, 3), norm=False)
    assert [type(layer) for layer in head] == [nn.Linear]
    assert head[0].bias is not None


def test_no_bias_before_a_normalization():
    head = projection_head((4, 4, 4), last_norm=True)
    assert [layer.bias is None for layer in head if isinstance(layer, nn.Linear)] == [True, True]
    assert head[-1].affine


def test_the_last_normalization_standardizes_its_output():
    torch.manual_seed(0)
    output = projection_head((8, 8, 5), last_norm=True, last_affine=False)(torch.randn(64, 8))
    torch.testing.assert_close(output.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.std(0, correction=0), torch.ones(5), atol=1e-3, rtol=0)
