import pytest
import torch
from torchvision import models

from segclf.networks import classification_network, segmentation_network


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_same_logits_as_torchvision_with_the_same_weights(name):
    theirs = getattr(models, name)(num_classes=3).eval()
    ours = classification_network(encoder=name, n_classes=3).eval()
    state = theirs.state_dict()
    last = "fc" if name == "resnet18" else "classifier"
    for part in ("weight", "bias"):
        getattr(ours.head, part).data.copy_(state.pop(f"{last}.{part}"))
    ours.encoder.load_state_dict(state)
    image = torch.rand(1, 3, 50, 70)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image), atol=1e-5)


@pytest.mark.parametrize(
    "encoder", ["mobilenet_v2", "mit_b0", "test_vit", "test_resnet", "test_efficientnet"]
)
def test_odd_and_small_sizes(encoder):
    network = classification_network(encoder=encoder, in_channels=2, n_classes=5).eval()
    image = torch.rand(2, 2, 37, 53)
    with torch.no_grad():
        assert network(image).shape == (2, 5)
        assert network(torch.rand(1, 2, 1, 2)).shape == (1, 5)
        assert torch.allclose(network.head(network.embed(image)), network(image), atol=1e-6)
        assert len(network.features(image)) >= 1


@pytest.mark.filterwarnings("ignore:`timm-` encoders:DeprecationWarning")
@pytest.mark.parametrize("encoder", ["tiny", "mit_b0", "timm-efficientnet-b0"])
def test_features_are_the_encoder_s_maps(encoder):
    network = classification_network(encoder=encoder).eval()
    maps = network.features(torch.rand(1, 3, 32, 64))
    assert [each.shape[1] for each in maps] == network.encoder.out_channels


def test_encoder_is_the_segmenter_s():
    classifier = classification_network(encoder="mobilenet_v2", in_channels=1)
    segmenter = segmentation_network(encoder="mobilenet_v2", in_channels=1)
    shapes = {name: each.shape for name, each in segmenter.encoder.state_dict().items()}
    assert shapes == {name: each.shape for name, each in classifier.encoder.state_dict().items()}


def test_encoder_s_embedding_agrees_with_the_segmenter_s():
    classifier = classification_network(encoder="tiny").eval()
    segmenter = segmentation_network(encoder="tiny").eval()
    segmenter.encoder.load_state_dict(classifier.encoder.state_dict())
    image = torch.rand(2, 3, 16, 24)
    assert torch.equal(classifier.embed(image), segmenter.embed(image))


def test_transformer_is_padded_to_whole_patches():
    network = classification_network(encoder="test_vit")
    assert network.stride == network.encoder.patch_embed.patch_size[0]


@pytest.mark.parametrize("encoder", ["tiny", "mobilenet_v2", "test_vit", "test_convnext"])
def test_without_classes_it_gives_the_embedding(encoder):
    network = classification_network(encoder=encoder, n_classes=0).eval()
    image = torch.rand(2, 3, 33, 47)
    with torch.no_grad():
        assert network(image).shape == (2, network.n_features)
        assert torch.equal(network(image), network.embed(image))
    assert not list(network.head.parameters())


@pytest.mark.parametrize(
    ("encoder", "depth"), [("tiny", 1), ("tiny", 2), ("resnet18", 3), ("mit_b0", 2)]
)
def test_depth_gives_the_segmenter_s_encoder_of_that_depth(encoder, depth):
    shallow = {"encoder": encoder, "encoder_depth": depth}
    classifier = classification_network(**shallow, n_classes=0).eval()
    segmenter = segmentation_network(**shallow).eval()
    segmenter.encoder.load_state_dict(classifier.encoder.state_dict())
    image = torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        assert torch.equal(classifier(image), segmenter.embed(image))
    assert classifier.n_features == segmenter.n_features == classifier(image).shape[1]
    assert classifier.recipe["encoder_depth"] == depth
