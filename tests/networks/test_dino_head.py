import pytest
import torch
from lightly.models.modules.heads import DINOProjectionHead
from torch import nn

from segclf.networks import DINOHead, momentum_copy

SMALL = {"n_prototypes": 32, "hidden_size": 16, "bottleneck_size": 8}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_the_papers_sizes():
    linear = [each for each in DINOHead(384).modules() if isinstance(each, nn.Linear)]
    sizes = [(each.in_features, each.out_features) for each in linear]
    assert sizes == [(384, 2048), (2048, 2048), (2048, 256), (256, 65536)]
    assert linear[-1].bias is None


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_lightlys_head_and_its_gradients():
    ours, theirs = DINOHead(6, **SMALL), DINOProjectionHead(6, 16, 8, 32)
    theirs.layers.load_state_dict(ours.perceptron.state_dict())
    theirs.last_layer.weight_v.data.copy_(ours.prototypes.weight)
    embedding, weight = torch.randn(4, 6), torch.randn(4, 32)
    torch.testing.assert_close(ours(embedding), theirs(embedding))
    for head in (ours, theirs):
        (head(embedding) * weight).sum().backward()
    torch.testing.assert_close(ours.prototypes.weight.grad, theirs.last_layer.weight_v.grad)
    torch.testing.assert_close(ours.perceptron[0].weight.grad, theirs.layers[0].weight.grad)


def test_layers_start_as_small_normal_numbers():
    torch.manual_seed(0)
    layer = DINOHead(384, n_prototypes=8).perceptron[0]
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.01)
    assert not layer.bias.any()


@pytest.mark.parametrize(("hidden_size", "deviation"), [(4096, 0.02), (512, 0.04), (32, 0.16)])
def test_smaller_heads_start_with_larger_numbers(hidden_size, deviation):
    head = DINOHead(384, n_prototypes=8, hidden_size=hidden_size)
    for layer in (head.perceptron[0], head.perceptron[-1]):
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("hidden_size", [64, 256])
def test_a_smaller_head_says_as_much_as_the_papers(hidden_size):
    """What is scaled to length 1: were it tiny, its gradient would be huge."""
    embedding = torch.randn(64, 384)
    paper = DINOHead(384, n_prototypes=8)
    n_features = 384 * hidden_size // 2048  # as much smaller
    small = DINOHead(n_features, n_prototypes=8, hidden_size=hidden_size)
    ratio = small.perceptron(embedding[:, :n_features]).std() / paper.perceptron(embedding).std()
    assert 0.8 < ratio < 1.25


def test_bottleneck_has_length_1_and_scores_are_cosines():
    head, embedding = DINOHead(6, **SMALL), torch.randn(4, 6)
    bottleneck = head.bottleneck(embedding)
    torch.testing.assert_close(bottleneck.norm(dim=1), torch.ones(4))
    prototypes = head.prototypes.weight
    cosines = torch.cosine_similarity(bottleneck[:, None], prototypes[None], dim=2)
    torch.testing.assert_close(head(embedding), cosines)


def test_the_length_of_prototypes_does_not_matter_unless_they_are_free():
    embedding = torch.randn(4, 6)
    for unit in (True, False):
        head = DINOHead(6, **SMALL, unit_prototypes=unit)
        before = head(embedding)
        with torch.no_grad():
            head.prototypes.weight.mul_(2.0)
        assert torch.allclose(head(embedding), before, atol=1e-6) == unit
        assert (head.prototypes.bias is None) == unit


def test_activation_on_the_bottleneck():
    plain, active = (DINOHead(6, **SMALL, bottleneck_activation=on) for on in (False, True))
    active.perceptron.load_state_dict(plain.perceptron.state_dict())
    embedding = torch.randn(4, 6)
    expected = nn.functional.gelu(plain.perceptron(embedding))
    torch.testing.assert_close(active.perceptron(embedding), expected)


def test_one_layer():
    head = DINOHead(6, **SMALL, n_layers=1)
    assert [type(each) for each in head.perceptron] == [nn.Linear]


def test_scores_are_in_single_precision_under_autocast():
    head, embedding = DINOHead(6, **SMALL), torch.randn(4, 6)
    bottleneck = head.bottleneck(embedding)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = head.scores(bottleneck)
        assert head(embedding).dtype == torch.float32
    assert torch.equal(half, head.scores(bottleneck))


def test_finite_at_zero():
    head = DINOHead(6, **SMALL)
    head(torch.zeros(2, 6)).sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in head.parameters())


def test_a_momentum_copy_says_the_same():
    head, embedding = DINOHead(6, **SMALL), torch.randn(4, 6)
    assert torch.equal(momentum_copy(head)(embedding), head(embedding))
