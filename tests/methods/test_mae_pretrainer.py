import numpy as np
import pytest
import torch
from lightly.models.utils import normalize_mean_var
from torch import nn

from segclf import ImageClassifier, MAEPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.methods.mae_pretrainer import MAE, normalized
from segclf.networks import classification_network
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)
DECODER = {"decoder_width": 32, "decoder_blocks": 1, "decoder_heads": 4}


def pretrainer(**changes):
    settings = {"encoder": "tiny_vit", "batch_size": 8, "max_epochs": 2, "random_state": 0}
    return MAEPretrainer(**{**settings, **DECODER, **changes})


def objective(**changes):
    torch.manual_seed(0)
    network = classification_network(encoder="tiny_vit", n_classes=0)
    return MAE(network, **{"mask_ratio": 0.75, "normalize_pixels": False, **DECODER, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(16, image_size=32, n_objects=3, target_radius=6, random_state=0)


@pytest.mark.parametrize(
    ("n_patches", "ratio", "n_visible"),
    [(196, 0.75, 49), (49, 0.75, 12), (64, 0.6, 25), (4, 0.75, 1), (4, 0.9, 1), (4, 0.1, 3)],
)
def test_number_of_visible_patches(n_patches, ratio, n_visible):
    visible, masked = objective(mask_ratio=ratio).sample(3, n_patches, torch.device("cpu"))
    assert (visible.shape, masked.shape) == ((3, n_visible), (3, n_patches - n_visible))
    everything = torch.cat([visible, masked], dim=1).sort(dim=1).values
    assert torch.equal(everything, torch.arange(n_patches).expand(3, -1))


def test_masks_are_uniform_and_each_image_has_its_own():
    torch.manual_seed(0)
    _, masked = objective().sample(4000, 16, torch.device("cpu"))
    shares = torch.bincount(masked.flatten(), minlength=16) / 4000
    torch.testing.assert_close(shares, torch.full((16,), 0.75), atol=0.04, rtol=0)
    assert len(masked.sort(dim=1).values.unique(dim=0)) > 1000


def test_masks_come_from_torchs_generator():
    samples = []
    for _ in range(2):
        torch.manual_seed(3)
        samples.append(objective().sample(2, 64, torch.device("cpu"))[0])
    assert torch.equal(*samples)


@pytest.mark.parametrize("encoder", ["tiny_vit", "test_vit"])
def test_weights_start_as_in_the_papers_code(encoder):
    """Glorot's uniform: the same bound for all of a matrix, +- sqrt(6 / (rows + columns))."""
    made = pretrainer(encoder=encoder)
    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    network = made._make_objective(made._make_samples(made._open(images))).network.encoder
    matrices = {name: m.weight for name, m in network.named_modules() if isinstance(m, nn.Linear)}
    matrices["patches"] = network.patch_embed.proj.weight.flatten(1)
    assert len(matrices) == 1 + 4 * len(network.blocks)
    for weight in matrices.values():
        bound = (6 / sum(weight.shape)) ** 0.5
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert not network.blocks[0].attn.qkv.bias.any()
    assert network.cls_token.std().item() == pytest.approx(0.02, rel=0.3)


def test_pretrained_weights_stay_as_they_are(tmp_path):
    source = classification_network(encoder="tiny_vit", n_classes=0).encoder
    torch.save(source.state_dict(), tmp_path / "vit.pth")
    made = pretrainer(encoder_weights=tmp_path / "vit.pth")
    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    started = made._make_objective(made._make_samples(made._open(images))).network.encoder
    for name, tensor in source.state_dict().items():
        torch.testing.assert_close(started.state_dict()[name], tensor)


@pytest.mark.parametrize(("size", "n_visible", "n_patches"), [(32, 16, 64), (3, 1, 4)])
def test_the_encoder_sees_a_quarter_and_the_decoder_all(size, n_visible, n_patches):
    """Of 2 x 2 patches at least."""
    mae, lengths = objective(), []
    for block in (*mae.network.encoder.blocks, *mae.decoder.blocks):
        block.register_forward_hook(lambda module, given, _: lengths.append(given[0].shape[1]))
    mae({"view_0": torch.rand(2, 3, size, size)}, START)
    assert lengths == [1 + n_visible, 1 + n_visible, 1 + n_patches]


@pytest.mark.parametrize("normalize_pixels", [False, True])
def test_the_loss_is_the_papers(normalize_pixels):
    """Mean over each patch, then over the masked ones: (error * mask).sum() / mask.sum()."""
    mae = objective(normalize_pixels=normalize_pixels)
    mae.network.set_statistics([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])
    mae.sample = lambda *given: (torch.tensor([[2], [0]]), torch.tensor([[3, 0, 1], [1, 2, 3]]))
    painted = []
    mae.decoder.register_forward_hook(lambda module, given, values: painted.append(values))
    view = torch.rand(2, 3, 8, 8)
    term = mae({"view_0": view}, START)["reconstruction"]
    image = (view - mae.network.mean[:, None, None]) / mae.network.std[:, None, None]
    error, mask = torch.zeros(2, 4), torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1]])
    for n, patches in enumerate([[3, 0, 1], [1, 2, 3]]):
        for i, patch in enumerate(patches):
            row, column = divmod(patch, 2)
            target = image[n, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten()
            if normalize_pixels:
                target = (target - target.mean()) / (target.var(correction=1) + 1e-6).sqrt()
            error[n, patch] = (painted[0][n, i] - target).square().mean()
    torch.testing.assert_close(term, (error * mask).sum() / mask.sum())


def test_visible_pixels_are_not_in_the_loss():
    """A decoder that says 0 whatever it gets leaves the target as the only way to the image."""
    mae = objective()
    nn.init.zeros_(mae.decoder.head.weight)
    view = torch.rand(2, 3, 16, 16, requires_grad=True)
    visible, masked = mae.sample(2, 16, view.device)
    mae.sample = lambda *given: (visible, masked)
    mae({"view_0": view}, START)["reconstruction"].backward()
    reached = view.grad.unfold(2, 4, 4).unfold(3, 4, 4).abs().sum((1, 4, 5)).flatten(1) > 0
    assert torch.equal(reached, torch.zeros(2, 16, dtype=bool).scatter(1, masked, True))


def test_normalized_patches_are_lightlys_and_finite_where_constant():
    patches = torch.rand(2, 5, 48)
    torch.testing.assert_close(normalized(patches), normalize_mean_var(patches))
    assert (normalized(torch.full((1, 2, 48), 7.0)) == 0).all()


def test_parameter_groups():
    mae = objective()
    mae.network.encoder.pos_embed.requires_grad_(False)
    decaying, others = mae.parameter_groups()
    assert decaying["betas"] == others["betas"] == (0.9, 0.95)
    assert "weight_decay" not in decaying
    assert others["weight_decay"] == 0
    assert {p.ndim for p in others["params"]} == {1}
    grouped = [id(p) for group in (decaying, others) for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in mae.parameters() if p.requires_grad)
    assert id(mae.network.encoder.pos_embed) not in grouped


def test_defaults_are_the_papers():
    default = MAEPretrainer()
    assert default.learning_rate == 1.5e-4 * default.batch_size / 256
    assert (default.optimizer, default.weight_decay) == ("adamw", 0.05)
    assert (default.decoder_width, default.decoder_blocks, default.decoder_heads) == (512, 8, 16)
    (view,) = default._make_views()
    assert (view.crop, view.horizontal_flip) == ((0.2, 1.0), 0.5)


@pytest.mark.parametrize("settings", [{}, {"normalize_pixels": True}, {"precision": "bf16"}])
def test_it_learns(shapes, settings):
    fitted = pretrainer(max_epochs=8, learning_rate=3e-3, **settings).fit(shapes.images)
    assert fitted.history_["reconstruction"][-1] < fitted.history_["reconstruction"][0]
    assert np.isfinite(fitted.transform(shapes.images)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (4, 4), (3, 9), (33, 5)])
def test_small_images(shape):
    images = np.random.default_rng(0).random((3, *shape))
    fitted = pretrainer(max_epochs=1).fit(images)
    assert fitted.transform(images).shape == (3, 32)


@pytest.mark.parametrize("normalize_pixels", [False, True])
def test_constant_images(normalize_pixels):
    images = np.full((4, 16, 16), 0.3)
    fitted = pretrainer(normalize_pixels=normalize_pixels).fit(images)
    assert np.isfinite(fitted.history_["loss"]).all()
    assert np.isfinite(fitted.transform(images)).all()


def test_validation_and_early_stopping(shapes):
    fitted = pretrainer(validation_fraction=0.25, n_iter_no_change=1, max_epochs=3)
    fitted.fit(shapes.images)
    assert "validation_reconstruction" in fitted.history_


@pytest.mark.parametrize("encoder", ["tiny", "test_convnext", "test_vit_relpos"])
def test_other_encoders_are_refused(shapes, encoder):
    with pytest.raises(ValueError, match=rf"encoder='{encoder}' is not a plain .* vit_small"):
        pretrainer(encoder=encoder).fit(shapes.images)


@pytest.mark.parametrize("changes", [{"decoder_width": 30}, {"decoder_heads": 5}])
def test_a_decoder_that_does_not_divide_is_refused(shapes, changes):
    with pytest.raises(ValueError, match=r"decoder_width=.* a multiple of 4 and of decoder_heads="):
        pretrainer(**changes).fit(shapes.images)


def test_positions_are_fixed_from_scratch_and_learned_from_a_file(shapes, tmp_path):
    start = pretrainer(max_epochs=1).fit(shapes.images).network_.encoder
    again = pretrainer(max_epochs=2).fit(shapes.images).network_.encoder
    assert torch.equal(start.pos_embed, again.pos_embed)
    assert not torch.equal(start.cls_token, again.cls_token)
    torch.save(start.state_dict(), tmp_path / "weights.pt")
    further = pretrainer(encoder_weights=tmp_path / "weights.pt").fit(shapes.images)
    assert not torch.equal(start.pos_embed, further.network_.encoder.pos_embed)
    torch.testing.assert_close(
        start.pos_embed, further.network_.encoder.pos_embed, atol=0.1, rtol=0
    )


def test_it_is_handed_to_a_classifier(shapes):
    classifier = ImageClassifier(
        encoder="tiny_vit",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.target)
    check_handed_on(classifier)


@pytest.mark.parametrize("encoder_rate", [0.0, 1.0])
def test_it_is_handed_to_a_segmenter(shapes, encoder_rate):
    segmenter = SupervisedSegmenter(
        architecture="vit_unet",
        encoder="tiny_vit",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=encoder_rate,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    if encoder_rate == 0:
        check_handed_on(segmenter)
    else:
        theirs = segmenter.pretrainer_.network_.encoder.pos_embed
        assert not torch.equal(segmenter.network_.encoder.model.pos_embed, theirs)


def check_handed_on(estimator):
    theirs = estimator.pretrainer_.network_.encoder.state_dict()
    ours = {
        name.removeprefix("encoder.").removeprefix("model."): values
        for name, values in estimator.network_.state_dict().items()
        if name in estimator.transferred_["taken"] and name.startswith("encoder.")
    }
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
