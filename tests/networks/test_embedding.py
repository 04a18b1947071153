import pytest
import torch

from segclf.networks import build, classification_network, embedding_network

IMAGES = torch.rand(2, 3, 37, 53, generator=torch.Generator().manual_seed(0))


def seeded(make, **options):
    torch.manual_seed(0)
    return make(**options).eval()


@pytest.mark.parametrize("encoder", ["tiny", "resnet18", "test_efficientnet", "test_vit"])
def test_mean_and_maximum_of_the_two_deepest_maps(encoder):
    network = seeded(embedding_network, encoder=encoder, pooling="mean_max")
    with torch.no_grad():
        maps = network.features(IMAGES)[-2:]
        expected = [part for one in maps for part in (one.mean((2, 3)), one.amax((2, 3)))]
        assert torch.equal(network(IMAGES), torch.cat(expected, 1))
    assert network(IMAGES).shape == (2, network.n_features)


@pytest.mark.parametrize("encoder", ["tiny", "resnet18", "test_efficientnet", "test_vit"])
def test_the_model_s_own_pooling_is_that_of_a_classification_network(encoder):
    network = seeded(embedding_network, encoder=encoder, pooling="model")
    bare = seeded(classification_network, encoder=encoder, n_classes=0)
    with torch.no_grad():
        assert torch.equal(network(IMAGES), bare(IMAGES))


def test_the_last_map_of_a_densenet_is_rectified():
    network = seeded(embedding_network, encoder="densenet121")
    assert network(IMAGES)[:, -1024:].min() >= 0


@pytest.mark.parametrize(
    ("encoder", "pooling"),
    [
        ("test_efficientnet", "mean_max"),
        ("test_vit", "model"),
        ("vit_small_patch16_dinov3", "model"),
        ("naflexvit_base_patch16_gap", "model"),
    ],
)
def test_auto_asks_whether_there_are_tokens(encoder, pooling):
    assert embedding_network(encoder=encoder).recipe["pooling"] == pooling


@pytest.mark.parametrize("pooling", ["mean_max", "model"])
def test_patches_of_14_pixels_take_any_size(pooling):
    network = seeded(embedding_network, encoder="vit_small_patch14_dinov2", pooling=pooling)
    with torch.no_grad():
        assert torch.isfinite(network(IMAGES)).all()


@pytest.mark.parametrize("pooling", ["mean_max", "model"])
def test_one_size_alone_is_said(pooling):
    network = embedding_network(encoder="coatnet_pico_rw_224", pooling=pooling)
    with pytest.raises(ValueError, match=r"224 x 224 pixels, and.*set image_size=224"):
        network(IMAGES)


def test_recipe_makes_it_again():
    network = embedding_network(encoder="test_vit")
    assert build(network.recipe).recipe == network.recipe


def test_unknown_pooling():
    with pytest.raises(ValueError, match="pooling='max'; expected one of auto, mean_max, model"):
        embedding_network(encoder="tiny", pooling="max")
