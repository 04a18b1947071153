import numpy as np
import pytest
import torch
from lightly.loss import NegativeCosineSimilarity
from torch import nn

from segclf import SimSiamPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.methods.simsiam_pretrainer import SimSiam, negative_cosine
from segclf.networks import classification_network
from segclf.objectives import Progress
from segclf.training import get_schedule

START = Progress(0, 0, 0.0)


def pretrainer(**changes):
    settings = {
        "encoder": "tiny",
        "projection_size": 32,
        "prediction_size": 16,
        "batch_size": 8,
        "max_epochs": 2,
        "random_state": 0,
    }
    return SimSiamPretrainer(**{**settings, **changes})


def objective(**changes):
    torch.manual_seed(0)
    network = classification_network(encoder="tiny", n_classes=0)
    settings = {"projection_size": 16, "prediction_size": 8, "fixed_prediction_rate": True}
    return SimSiam(network, **{**settings, **changes})


def two_views(n_images=6, n_channels=3):
    return {f"view_{i}": torch.rand(n_images, n_channels, 8, 8) for i in range(2)}


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(24, image_size=16, n_objects=2, target_radius=4, random_state=0)


def test_end_points_of_the_loss():
    z = torch.randn(5, 7)
    assert negative_cosine(z, 3 * z).item() == pytest.approx(-1)
    assert negative_cosine(z, -z).item() == pytest.approx(1)
    assert negative_cosine(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])).item() == 0


def test_loss_is_lightlys():
    p, z = torch.randn(2, 9, 5)
    expected = NegativeCosineSimilarity()(p, z)
    torch.testing.assert_close(negative_cosine(p, z), expected)


def test_loss_is_in_single_precision_and_finite_at_zero():
    p, z = torch.randn(4, 8).bfloat16(), torch.randn(4, 8).bfloat16()
    torch.testing.assert_close(negative_cosine(p, z), negative_cosine(p.float(), z.float()))
    zero = torch.zeros(2, 3, requires_grad=True)
    negative_cosine(zero, zero.detach()).backward()
    assert torch.isfinite(zero.grad).all()


def test_no_gradient_reaches_the_target():
    p, z = torch.randn(2, 4, 3).unbind()
    p.requires_grad_(), z.requires_grad_()
    negative_cosine(p, z).backward()
    assert z.grad is None
    assert p.grad.abs().sum() > 0


def test_perfect_prediction_of_equal_views_is_minus_one():
    simsiam = objective()
    simsiam.predictor = nn.Identity()
    view = torch.rand(6, 3, 8, 8)
    terms = simsiam({"view_0": view, "view_1": view}, START)
    assert terms["similarity"].item() == pytest.approx(-1, abs=1e-6)


def test_the_term_is_symmetric_and_half_of_both_directions():
    simsiam, batch = objective(), two_views()
    z1, z2 = (simsiam.projector(simsiam.network(batch[f"view_{i}"])) for i in range(2))
    p1, p2 = simsiam.predictor(z1), simsiam.predictor(z2)
    cosine = torch.cosine_similarity(p1, z2).mean() + torch.cosine_similarity(p2, z1).mean()
    term = simsiam(batch, START)["similarity"]
    torch.testing.assert_close(term, -cosine / 2)
    swapped = {"view_0": batch["view_1"], "view_1": batch["view_0"]}
    torch.testing.assert_close(simsiam(swapped, START)["similarity"], term)


def test_gradients_pass_through_the_predictor_alone():
    """With a predictor that lets none through, the network gets none."""
    simsiam = objective()
    last = simsiam.predictor[-1]
    nn.init.zeros_(last.weight)
    simsiam(two_views(), START)["similarity"].backward()
    assert all((p.grad == 0).all() for p in simsiam.network.parameters())
    assert last.bias.grad.abs().sum() > 0


def test_only_the_predictors_rate_is_constant():
    simsiam = objective()
    others, predictor = simsiam.parameter_groups()
    assert {id(p) for p in predictor["params"]} == {id(p) for p in simsiam.predictor.parameters()}
    assert len(others["params"]) + len(predictor["params"]) == len([*simsiam.parameters()])
    assert [predictor["schedule"](t) for t in (0.0, 0.5, 0.9)] == [1, 1, 1]
    assert "schedule" not in others
    assert "schedule" not in objective(fixed_prediction_rate=False).parameter_groups()[0]


def test_defaults_are_the_papers():
    default = SimSiamPretrainer()
    assert default.learning_rate == 0.05 * default.batch_size / 256
    assert (default.projection_size, default.prediction_size) == (2048, 512)
    assert (default.optimizer, default.weight_decay) == ("sgd", 1e-4)
    assert get_schedule(default.schedule)(0.5) == 0.5


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_learns(shapes, encoder):
    fitted = pretrainer(encoder=encoder, max_epochs=8, learning_rate=0.05).fit(shapes.images)
    assert fitted.history_["similarity"][-1] < fitted.history_["similarity"][0]
    assert fitted.history_["embedding_std"][-1] > 0.1 / np.sqrt(32)


def test_it_is_handed_on(shapes):
    segmenter = SupervisedSegmenter(
        encoder="tiny",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    assert segmenter.pretrainer_.encoder == "tiny"
    theirs, ours = segmenter.pretrainer_.network_.state_dict(), segmenter.network_.state_dict()
    names = [name for name in theirs if name.startswith("encoder.")]
    assert set(names) <= set(segmenter.transferred_["taken"])
    assert all(torch.equal(ours[name], theirs[name]) for name in names)


@pytest.mark.parametrize(
    ("n_images", "changes"),
    [(1, {}), (3, {"batch_size": 2}), (4, {"batch_size": 1}), (3, {"validation_fraction": 0.5})],
)
def test_a_batch_of_one_image_is_refused(shapes, n_images, changes):
    with pytest.raises(ValueError, match=r"compares the images of a batch, .* 1 sample"):
        pretrainer(**changes).fit(shapes.images[:n_images])
