import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import l1_loss

from segclf import ImageClassifier, SimMIMPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.methods.simmim_pretrainer import SimMIM, masked_error
from segclf.networks import classification_network
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)


def pretrainer(**changes):
    settings = {"encoder": "tiny", "batch_size": 8, "max_epochs": 2, "random_state": 0}
    return SimMIMPretrainer(**{**settings, **changes})


def objective(encoder="tiny", **changes):
    torch.manual_seed(0)
    network = classification_network(encoder=encoder, n_classes=0)
    return SimMIM(
        network, **{"mask_size": 32, "mask_ratio": 0.6, "largest_gradient": 5.0, **changes}
    )


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(16, image_size=32, n_objects=3, target_radius=6, random_state=0)


@pytest.mark.parametrize(("encoder", "unit"), [("tiny", 1), ("tiny_vit", 4), ("test_vit", 16)])
@pytest.mark.parametrize(("ratio", "n_hidden"), [(0.6, 22), (0.5, 18), (0.01, 1), (0.99, 35)])
def test_number_of_hidden_squares(encoder, unit, ratio, n_hidden):
    """22 of the 36 squares of 32 pixels in an image of 192 x 192, as in the paper."""
    hidden = objective(encoder, mask_ratio=ratio).sample(torch.zeros(3, 3, 192, 192))
    assert hidden.shape == (3, 192 // unit, 192 // unit)
    side = 32 // unit
    squares = hidden.unfold(1, side, side).unfold(2, side, side).flatten(3)
    assert torch.equal(squares.all(dim=3), squares.any(dim=3))
    assert squares.all(dim=3).sum((1, 2)).tolist() == [n_hidden] * 3


@pytest.mark.parametrize(
    ("encoder", "mask_size", "side"),
    [("tiny_vit", 10, 2), ("tiny_vit", 1, 1), ("test_vit", 20, 1), ("tiny", 10, 10)],
)
def test_squares_are_whole_patches(encoder, mask_size, side):
    image = torch.zeros(1, 3, 160, 160)
    hidden = objective(encoder, mask_size=mask_size).sample(image)[0]
    n_hidden = -(-6 * (hidden.shape[0] // side) ** 2 // 10)
    assert hidden.sum() == n_hidden * side**2


@pytest.mark.parametrize(
    ("size", "encoder", "side"),
    [
        ((8, 8), "tiny", 4),
        ((8, 40), "tiny", 4),
        ((48, 48), "tiny", 24),
        ((8, 8), "tiny_vit", 1),
        ((8, 64), "tiny_vit", 1),
        ((32, 32), "tiny_vit", 4),
        ((32, 32), "test_vit", 1),
    ],
)
def test_squares_shrink_in_small_images(size, encoder, side):
    simmim = objective(encoder)
    hidden = simmim.sample(torch.zeros(5, 3, *size))
    rows, columns = (length // simmim.inpainter.unit // side for length in size)
    n_squares = rows * columns
    expected = min(-(-6 * n_squares // 10), n_squares - 1)
    assert hidden.sum((1, 2)).tolist() == [expected * side**2] * 5


@pytest.mark.parametrize(
    ("size", "encoder", "side", "n_hidden"),
    [
        ((224, 224), "tiny", 32, 30),  # 49 squares, as 32 pixels are in the paper
        ((224, 448), "tiny_vit", 8, 59),
        ((112, 112), "tiny", 16, 30),
        ((48, 48), "tiny", 7, 30),
        ((32, 32), "tiny", 5, 30),
        ((32, 32), "tiny_vit", 1, 39),
    ],
)
def test_squares_follow_the_image(size, encoder, side, n_hidden):
    """60 % is hidden at any size; of four large squares it was 75 %."""
    mask_size = SimMIMPretrainer().mask_size
    hidden = objective(encoder, mask_size=mask_size).sample(torch.zeros(40, 3, *size))
    assert hidden[:, ::side, ::side].sum((1, 2)).tolist() == [n_hidden] * 40
    assert hidden.float().mean().item() == pytest.approx(0.6, abs=0.03)


def test_a_fraction_is_that_many_pixels():
    for fraction, pixels in ((1 / 6, 32), (1 / 7, 27), (0.25, 48)):
        masks = []
        for mask_size in (fraction, pixels):
            simmim = objective(mask_size=mask_size)
            torch.manual_seed(0)
            masks.append(simmim.sample(torch.zeros(2, 3, 192, 256)))
        assert torch.equal(*masks)


def test_squares_cut_by_the_border():
    hidden = objective().sample(torch.zeros(50, 3, 72, 104))
    corners = hidden[:, ::32, ::32].sum((1, 2))
    assert corners.tolist() == [8] * 50, ".6 of 3 x 4 squares, rounded up"


def test_each_image_has_its_own_mask_from_torchs_generator():
    samples = []
    for _ in range(2):
        torch.manual_seed(3)
        samples.append(objective().sample(torch.zeros(4000, 3, 64, 64))[:, ::32, ::32].flatten(1))
    assert torch.equal(*samples)
    kinds, counts = samples[0].unique(dim=0, return_counts=True)
    assert len(kinds) == 4, "one of four squares stays visible"
    torch.testing.assert_close(counts / 4000, torch.full((4,), 0.25), atol=0.04, rtol=0)


def test_the_error_is_the_papers():
    painted, image = torch.randn(2, 4, 3, 8, 8)
    hidden = torch.rand(4, 8, 8) < 0.6
    error = (l1_loss(image, painted, reduction="none") * hidden[:, None]).sum()
    torch.testing.assert_close(
        masked_error(painted, image, hidden), error / (hidden.sum() + 1e-5) / 3
    )


def test_the_error_of_labeled_pixels():
    painted, image = torch.zeros(1, 2, 1, 3), torch.tensor([[[[1.0, 5.0, 3.0]], [[1.0, 5.0, 1.0]]]])
    hidden = torch.tensor([[[True, False, True]]])
    assert masked_error(painted, image, hidden).item() == pytest.approx(6 / 4, rel=1e-5)
    assert masked_error(painted, image, ~hidden).item() == pytest.approx(5, rel=1e-4)


def test_visible_pixels_are_not_in_the_error():
    painted, image = torch.randn(2, 4, 3, 8, 8)
    hidden = torch.rand(4, 8, 8) < 0.6
    painted.requires_grad_()
    masked_error(painted, image, hidden).backward()
    reached = painted.grad.abs().sum(1) > 0
    assert torch.equal(reached, hidden)


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_what_is_hidden_from_the_encoder_is_what_counts(encoder):
    """A head that says 0 leaves the target as the only way to the image, in normalized units."""
    simmim = objective(encoder, mask_size=8)
    simmim.network.set_statistics([0.5] * 3, [0.25] * 3)
    for parameter in simmim.inpainter.head.parameters():
        nn.init.zeros_(parameter)
    view = torch.rand(2, 3, 16, 24, requires_grad=True)
    hidden = simmim.sample(view)
    simmim.sample = lambda image: hidden
    term = simmim({"view_0": view}, START)["reconstruction"]
    term.backward()
    unit = simmim.inpainter.unit
    pixels = hidden.repeat_interleave(unit, 1).repeat_interleave(unit, 2)
    assert torch.equal(view.grad.abs().sum(1) > 0, pixels)
    image = ((view - 0.5) / 0.25).detach().movedim(1, -1)
    torch.testing.assert_close(term.detach(), image[pixels].abs().mean())


def test_vectors_do_not_decay():
    simmim = objective()
    decaying, others = simmim.parameter_groups()
    assert {p.ndim for p in others["params"]} == {1}
    assert len(decaying["params"]) + len(others["params"]) == len([*simmim.parameters()])


@pytest.mark.parametrize(("largest", "expected"), [(5.0, 5.0), (None, 12.0)])
def test_large_gradients_are_scaled_down(largest, expected):
    simmim = objective(largest_gradient=largest)
    simmim.inpainter.token.grad = torch.tensor([0.0, 12.0, 0.0])
    simmim.before_update(START)
    torch.testing.assert_close(simmim.inpainter.token.grad, torch.tensor([0.0, expected, 0.0]))


def test_defaults_are_the_papers():
    default = SimMIMPretrainer()
    assert default.learning_rate == 8e-4 * default.batch_size / 2048
    assert (default.optimizer, default.weight_decay) == ("adamw", 0.05)
    assert (default.mask_size, default.mask_ratio) == (32 / 224, 0.6)
    (view,) = default._make_views()
    assert (view.crop, view.horizontal_flip) == ((0.67, 1.0), 0.5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_learns(shapes, encoder, precision):
    fitted = pretrainer(encoder=encoder, max_epochs=8, learning_rate=3e-3, precision=precision)
    fitted.fit(shapes.images)
    assert fitted.history_["reconstruction"][-1] < fitted.history_["reconstruction"][0]
    assert np.isfinite(fitted.transform(shapes.images)).all()


def test_it_learns_by_a_swin_transformer(shapes):
    fitted = pretrainer(encoder="swin_tiny_patch4_window7_224", max_epochs=1)
    fitted.fit(shapes.images[:2])
    assert fitted.transform(shapes.images[:1]).shape == (1, 768)


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (4, 4), (3, 9), (33, 5)])
def test_small_images(shape, encoder):
    images = np.random.default_rng(0).random((3, *shape))
    fitted = pretrainer(max_epochs=1, encoder=encoder).fit(images)
    assert np.isfinite(fitted.transform(images)).all()


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_constant_images(encoder):
    images = np.full((4, 16, 16), 0.3)
    fitted = pretrainer(encoder=encoder).fit(images)
    assert np.isfinite(fitted.history_["loss"]).all()
    assert np.isfinite(fitted.transform(images)).all()


def test_validation_and_early_stopping(shapes):
    fitted = pretrainer(validation_fraction=0.25, n_iter_no_change=1, max_epochs=3)
    fitted.fit(shapes.images)
    assert "validation_reconstruction" in fitted.history_


def test_it_is_handed_to_a_segmenter(shapes):
    segmenter = SupervisedSegmenter(
        encoder="tiny",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    check_handed_on(segmenter)


def test_it_is_handed_to_a_classifier(shapes):
    classifier = ImageClassifier(
        encoder="tiny_vit",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.target)
    check_handed_on(classifier)


def check_handed_on(estimator):
    theirs = estimator.pretrainer_.network_.state_dict()
    ours = estimator.network_.state_dict()
    names = [name for name in theirs if name.startswith("encoder.")]
    assert set(names) <= set(estimator.transferred_["taken"])
    assert all(torch.equal(ours[name], theirs[name]) for name in names)
