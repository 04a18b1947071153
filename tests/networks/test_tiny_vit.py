import pytest
import timm
import torch
from torch import nn

from segclf.networks import classification_network


def test_form():
    model = classification_network(encoder="tiny_vit").encoder
    assert isinstance(model, timm.models.VisionTransformer)
    assert model.patch_embed.patch_size == (4, 4)
    assert (model.embed_dim, len(model.blocks), model.blocks[0].attn.num_heads) == (32, 2, 2)
    assert model.blocks[0].mlp.fc1.out_features == 64
    assert model.num_prefix_tokens == 1
    assert not any(each.p for each in model.modules() if isinstance(each, nn.Dropout))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 17), (37, 53)])
@pytest.mark.parametrize("in_channels", [1, 5])
def test_classifier_trains_on_one_image_of_any_size(size, in_channels):
    network = classification_network(encoder="tiny_vit", in_channels=in_channels, n_classes=3)
    logits = network.train()(torch.rand(1, in_channels, *size))
    assert logits.shape == (1, 3)
    logits.square().sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_vector_is_the_class_token():
    network = classification_network(encoder="tiny_vit", n_classes=0).eval()
    image = torch.rand(2, 3, 12, 20)
    assert network.n_features == 32
    assert torch.equal(network(image), network.encoder.forward_features(image)[:, 0])


def test_two_numbers_as_an_image_can_be_distinguished():
    torch.manual_seed(0)
    label = torch.arange(64) % 2
    image = torch.randn(64, 1, 1, 2) * 0.3
    image[:, 0, 0, 0] += 2.0 * label - 1.0
    network = classification_network(encoder="tiny_vit", in_channels=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(image), label).backward()
        optimizer.step()
    assert (network(image).argmax(1) == label).float().mean() > 0.95


def test_timm_knows_it_without_a_warning(recwarn, caplog):
    timm.create_model("tiny_vit", num_classes=0)
    assert not recwarn.list
    assert not caplog.records
