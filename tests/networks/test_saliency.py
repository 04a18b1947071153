import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

from segclf.networks import classification_network, grad_cam
from segclf.networks.saliency import last_layer


class Toy(nn.Module):
    """Two given maps, averaged, and two classes that see them linearly."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0, -2.0], [0.0, 4.0]])

    def forward(self, image):
        return self.head(self.maps(image).mean((2, 3)))


def closed_form(maps, weight):
    """The class activation maps of Zhou et al., rectified."""
    return torch.einsum("kd,ndhw->nkhw", weight, maps).relu()


def test_hand_value():
    maps = torch.tensor([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    expected = torch.tensor([[[[0.5, 0.0]], [[2.0, 4.0]]]])  # (A_1 - 2 A_2) / 2 and 4 A_2 / 2
    assert torch.equal(grad_cam(Toy(), maps, layer="maps"), expected)


@pytest.mark.parametrize("encoder", ["tiny", "resnet18", "densenet121"])
def test_is_the_class_activation_map(encoder):
    torch.manual_seed(0)
    network = classification_network(encoder=encoder, n_classes=4).eval()
    image = torch.rand(2, 3, 96, 64)
    with torch.no_grad():
        maps = network.deepest(network.features(image)[-1])
        expected = closed_form(maps, network.head.weight)
    n_pixels = maps.shape[2] * maps.shape[3]
    found = grad_cam(network, image) * n_pixels
    assert expected.max() > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=8e-7 * expected.max().item())


def test_probability_maps_are_logit_maps_times_p_times_1_minus_p():
    torch.manual_seed(0)
    network = classification_network(encoder="tiny", n_classes=3)
    image = torch.rand(2, 3, 32, 32)
    p = network.eval()(image).sigmoid()[..., None, None]
    found = grad_cam(network, image, score=torch.sigmoid)
    torch.testing.assert_close(found, grad_cam(network, image) * p * (1 - p), rtol=1e-5, atol=1e-8)


def test_densenet_counts_after_its_last_relu():
    """Hooks on `norm5` see what is before or after the ReLU in place, depending on the library."""
    torch.manual_seed(0)
    theirs = models.densenet121(num_classes=2).eval()
    ours = classification_network(encoder="densenet121").eval()
    state = theirs.state_dict()
    ours.head.load_state_dict({n: state.pop(f"classifier.{n}") for n in ("weight", "bias")})
    ours.encoder.load_state_dict(state)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = theirs.features(image)
    after = closed_form(before.relu(), ours.head.weight.data) / 4
    for network, layer in ((ours, None), (theirs, "features.norm5")):
        torch.testing.assert_close(grad_cam(network, image, layer=layer), after, atol=1e-6, rtol=0)
    # Before it, pixels that the ReLU stops have no gradient.
    gradient = ours.head.weight.data @ (before > 0).float().mean((2, 3)).diag_embed()[0] / 4
    trap = closed_form(before, gradient)
    assert (trap - after).abs().max() > 0.1 * after.max()


@pytest.mark.parametrize("layer", ["layer4", "layer3.1.bn2", "layer1"])
def test_any_layer_agrees_with_autograd_on_the_whole_network(layer):
    torch.manual_seed(0)
    network = models.resnet18(num_classes=3).eval()
    image = torch.rand(2, 3, 64, 96)
    seen = []
    keep = network.get_submodule(layer).register_forward_hook(lambda *a: seen.append(a[2]))
    scores = network(image)
    keep.remove()
    expected = []
    for c in range(3):
        (gradient,) = torch.autograd.grad(scores[:, c].sum(), seen, retain_graph=True)
        expected.append((gradient.mean((2, 3), keepdim=True) * seen[0]).sum(1).relu())
    found = grad_cam(network, image, layer=layer)
    torch.testing.assert_close(found, torch.stack(expected, 1), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("mode", [True, False])
def test_leaves_the_network_as_it_was(mode):
    network = classification_network(encoder="resnet18").train(mode)
    network.encoder.layer1.eval()
    network.encoder.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    with torch.inference_mode():
        image = torch.rand(2, 3, 32, 32)
        maps = grad_cam(network, image)
    assert torch.is_grad_enabled()
    assert not maps.requires_grad
    assert [module.training for module in network.modules()] == modes
    assert not any(p.requires_grad for p in network.encoder.parameters())
    assert all(p.requires_grad for p in network.head.parameters())
    assert all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_an_image_s_map_does_not_depend_on_its_company():
    network = classification_network(encoder="tiny")
    image = torch.rand(3, 3, 24, 24)
    alone = torch.cat([grad_cam(network, each[None]) for each in image])
    torch.testing.assert_close(grad_cam(network, image), alone)


@pytest.mark.parametrize(
    ("encoder", "grid"),
    [
        ("test_resnet", (2, 3)),
        ("test_convnext", (2, 3)),
        ("test_efficientnet", (2, 3)),
        ("test_mambaout", (2, 3)),  # its channels are last
        ("test_vit", (4, 6)),
        ("tiny_vit", (16, 24)),
        ("mit_b0", (2, 3)),
    ],
)
def test_last_layers_have_maps_of_the_image_s_form(encoder, grid):
    torch.manual_seed(0)
    network = classification_network(encoder=encoder, n_classes=2)
    maps = grad_cam(network, torch.rand(2, 3, 64, 96))
    assert maps.shape == (2, 2, *grid)
    assert maps.max() > 0


def test_tokens_lie_in_rows_after_the_class_token():
    network = classification_network(encoder="tiny_vit", n_classes=2).eval()
    image = torch.rand(1, 3, 8, 12)
    name = last_layer(network)
    seen = []
    network.get_submodule(name).register_forward_hook(lambda *a: seen.append(a[2]))
    score = network(image)[0, 1]
    (gradient,) = torch.autograd.grad(score, seen)
    weights = gradient[0, 1:].mean(0)
    expected = (seen[0][0, 1:] @ weights).relu().reshape(2, 3)
    torch.testing.assert_close(grad_cam(network, image)[0, 1], expected)


def test_what_lies_on_padding_is_cut_off():
    network = classification_network(encoder="resnet18", n_classes=2)
    image = torch.rand(1, 3, 20, 70)
    whole = F.pad(image, (0, 0, 0, 12), mode="replicate")  # 32 rows are the least
    expected = F.interpolate(grad_cam(network, whole), (32, 70), mode="bilinear")[:, :, :20]
    assert torch.equal(grad_cam(network, image), expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "Toy has no known layer of maps.*maps, head"),
        ("map", "No layer 'map' in Toy.*maps"),
        ("head", r"The layer 'head' returns \(1, 2\); expected maps"),
    ],
)
def test_errors_name_the_layer(layer, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(Toy(), torch.rand(1, 2, 4, 4), layer=layer)


def test_layers_that_decide_nothing_are_refused():
    toy = Toy()
    toy.unused = nn.Identity()
    with pytest.raises(ValueError, match="'unused' is not run"):
        grad_cam(toy, torch.rand(1, 2, 4, 4), layer="unused")
    with pytest.raises(ValueError, match="do not depend"):
        grad_cam(toy, torch.rand(1, 2, 4, 4), layer="maps", score=torch.detach)
