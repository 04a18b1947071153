import numpy as np
import pytest
import torch
from lightly.loss import NegativeCosineSimilarity
from torch import nn

from segclf import BYOLPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.methods.byol_pretrainer import BYOL, squared_distance
from segclf.networks import classification_network
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)


def pretrainer(**changes):
    settings = {
        "encoder": "tiny",
        "hidden_size": 64,
        "projection_size": 32,
        "batch_size": 8,
        "max_epochs": 2,
        "random_state": 0,
    }
    return BYOLPretrainer(**{**settings, **changes})


def objective(**changes):
    torch.manual_seed(0)
    network = classification_network(encoder="tiny", n_classes=0)
    return BYOL(network, **{"hidden_size": 16, "projection_size": 8, "momentum": 0.9, **changes})


def two_views(n_images=6):
    return {f"view_{i}": torch.rand(n_images, 3, 8, 8) for i in range(2)}


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(24, image_size=16, n_objects=2, target_radius=4, random_state=0)


def test_end_points_of_the_loss():
    z = torch.randn(5, 7)
    assert squared_distance(z, 3 * z).item() == pytest.approx(0, abs=1e-6)
    assert squared_distance(z, -z).item() == pytest.approx(4)
    assert squared_distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])).item() == 2


def test_loss_is_the_squared_distance_of_unit_vectors_and_lightlys():
    p, z = torch.randn(2, 9, 5)
    unit_p, unit_z = p / p.norm(dim=1, keepdim=True), z / z.norm(dim=1, keepdim=True)
    expected = (unit_p - unit_z).square().sum(dim=1).mean()
    torch.testing.assert_close(squared_distance(p, z), expected)
    torch.testing.assert_close(squared_distance(p, z), 2 + 2 * NegativeCosineSimilarity()(p, z))


def test_loss_is_in_single_precision_and_finite_at_zero():
    p, z = torch.randn(2, 4, 8).bfloat16()
    torch.testing.assert_close(squared_distance(p, z), squared_distance(p.float(), z.float()))
    zero = torch.zeros(2, 3, requires_grad=True)
    squared_distance(zero, zero.detach()).backward()
    assert torch.isfinite(zero.grad).all()


def test_perfect_prediction_of_equal_views_is_zero():
    """The target starts as a copy: without the predictor, both sides say the same."""
    byol = objective()
    byol.predictor = nn.Identity()
    view = torch.rand(6, 3, 8, 8)
    term = byol({"view_0": view, "view_1": view}, START)["distance"]
    assert term.item() == pytest.approx(0, abs=1e-5)


def test_both_directions_are_summed():
    byol, batch = objective(), two_views()
    predictions = [byol.predictor(byol.projector(byol.network(v))) for v in batch.values()]
    targets = [byol.target(v) for v in batch.values()]
    expected = 4 - 2 * sum(
        torch.cosine_similarity(p, z).mean()
        for p, z in zip(predictions, targets[::-1], strict=True)
    )
    term = byol(batch, START)["distance"]
    torch.testing.assert_close(term, expected)
    swapped = {"view_0": batch["view_1"], "view_1": batch["view_0"]}
    torch.testing.assert_close(byol(swapped, START)["distance"], term)


def test_no_gradient_reaches_the_target():
    byol = objective()
    byol(two_views(), START)["distance"].backward()
    assert all(parameter.grad is None for parameter in byol.target.parameters())
    for module in (byol.network, byol.projector, byol.predictor):
        assert sum(p.grad.abs().sum() for p in module.parameters()) > 0
    trained = {id(p) for group in byol.parameter_groups() for p in group["params"]}
    assert trained.isdisjoint(map(id, byol.target.parameters()))


@pytest.mark.parametrize(("fraction", "momentum"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_target_follows_along_a_cosine(fraction, momentum):
    byol = objective()
    with torch.no_grad():
        for parameter in [*byol.network.parameters(), *byol.projector.parameters()]:
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in byol.target.parameters()]
    byol.after_update(Progress(0, 0, fraction))
    for old, new in zip(before, byol.target.parameters(), strict=True):
        torch.testing.assert_close(new, old + (1 - momentum))


def test_the_views_differ_in_blur_and_solarization():
    first, second = pretrainer()._make_views()
    assert (first.blur_probability, second.blur_probability) == (1.0, 0.1)
    assert (first.solarize, second.solarize) == (0.0, 0.2)
    rest = [{**vars(view), "blur_probability": 0, "solarize": 0} for view in (first, second)]
    assert rest[0] == rest[1]


def test_defaults_are_the_papers_but_for_the_optimizer():
    default = BYOLPretrainer()
    assert (default.hidden_size, default.projection_size, default.momentum) == (4096, 256, 0.996)
    assert default.learning_rate == 0.05 * default.batch_size / 256


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_learns(shapes, encoder):
    fitted = pretrainer(encoder=encoder, max_epochs=8, learning_rate=0.05).fit(shapes.images)
    assert fitted.history_["distance"][-1] < fitted.history_["distance"][0]
    assert fitted.history_["embedding_std"][-1] > 0.1 / np.sqrt(32)


def test_half_precision_trains(shapes):
    fitted = pretrainer(precision="bf16").fit(shapes.images)
    assert np.isfinite(fitted.transform(shapes.images)).all()


def test_any_optimizer_is_taken(shapes):
    """As the paper's LARS would be."""
    made = []

    def lars(groups, *, lr, weight_decay):
        made.append((lr, weight_decay))
        return torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay)

    pretrainer(optimizer=lars, learning_rate=0.2, weight_decay=1.5e-6).fit(shapes.images)
    assert made == [(0.2, 1.5e-6)]


def test_it_is_handed_on(shapes):
    segmenter = SupervisedSegmenter(
        encoder="tiny",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    theirs, ours = segmenter.pretrainer_.network_.state_dict(), segmenter.network_.state_dict()
    names = [name for name in theirs if name.startswith("encoder.")]
    assert set(names) <= set(segmenter.transferred_["taken"])
    assert all(torch.equal(ours[name], theirs[name]) for name in names)
