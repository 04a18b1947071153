"""CASS: its loss, its options, what it keeps, and to whom that is handed on."""

import math
import pickle
import warnings

import numpy as np
import pytest
import timm
import torch
from lightly.loss import NegativeCosineSimilarity
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch.nn.functional import normalize

from segclf import CASSPretrainer, ImageClassifier, SupervisedSegmenter, load, save
from segclf.data import Augmentation
from segclf.datasets import make_shapes
from segclf.methods.cass_pretrainer import CASS, distance
from segclf.networks import PairNetwork, classification_network
from segclf.objectives import CollapseWarning, Progress

SHAPES = make_shapes(16, image_size=16, n_objects=2, target_radius=4, random_state=0)
START = Progress(0, 0, 0.0)
TINY = {"cnn": "tiny", "transformer": "tiny_vit"}


def pretrainer(**changes):
    settings = {**TINY, "n_outputs": 16, "max_epochs": 2, "random_state": 0}
    return CASSPretrainer(**{**settings, **changes})


def objective(*, projector=None, stop_gradient=False, keep="cnn"):
    torch.manual_seed(0)
    names = ("tiny", "tiny_vit")
    pair = PairNetwork(*(classification_network(encoder=n, n_classes=0) for n in names))
    return CASS(
        pair, keep=keep, n_outputs=8, projector=projector, stop_gradient=stop_gradient
    ).train()


def gradients(made, image):
    """The gradient of each parameter, None where there is none."""
    made.zero_grad()
    made({"view_0": image}, START)["distance"].backward()
    return {name: p.grad for name, p in made.named_parameters()}


IMAGE = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
U, V = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1)).unbind()


def test_distance_of_equal_orthogonal_and_opposed_outputs():
    x, y = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    assert [distance(x, other).item() for other in (x, y, -x)] == [0, 2, 4]


def test_distance_is_the_squared_one_of_unit_vectors():
    expected = (normalize(U, dim=1) - normalize(V, dim=1)).square().sum(1).mean()
    torch.testing.assert_close(distance(U, V), expected)


def test_distance_of_lightly():
    torch.testing.assert_close(distance(U, V), 2 + 2 * NegativeCosineSimilarity()(U, V))


def test_distance_knows_no_lengths():
    scale = torch.rand(5, 1, generator=torch.Generator().manual_seed(2)) + 0.1
    torch.testing.assert_close(distance(scale * U, V), distance(U, V))
    torch.testing.assert_close(distance(U, 7 * V), distance(U, V))


def test_distance_is_computed_in_float32():
    half = distance(U.bfloat16(), V.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, distance(U.bfloat16().float(), V.bfloat16().float()))


def test_the_loss_compares_both_outputs_of_one_image():
    made = objective()
    terms = made({"view_0": IMAGE}, START)
    u = made.cnn_head(made.pair.cnn(IMAGE))
    v = made.transformer_head(made.pair.transformer(IMAGE))
    assert terms.keys() == {"distance"}
    torch.testing.assert_close(terms["distance"], distance(u, v))


def test_the_least_spread_of_the_two_is_watched():
    made = objective()
    made({"view_0": IMAGE}, START)
    heads = (made.cnn_head(made.pair.cnn(IMAGE)),
             made.transformer_head(made.pair.transformer(IMAGE)))  # fmt: skip
    least = min(normalize(out, dim=1).std(0, correction=0).mean() for out in heads)
    torch.testing.assert_close(made.measures()["embedding_std"], least.detach())
    with torch.no_grad():
        made.transformer_head.weight.zero_()
    made({"view_0": IMAGE}, START)
    assert made.measures()["embedding_std"] < 1e-6, "the transformer alone collapsed"


def test_both_networks_learn():
    assert all(g is not None and g.abs().sum() > 0 for g in gradients(objective(), IMAGE).values())


def test_without_a_projector_a_stopped_gradient_is_half_of_the_papers():
    paper, stopped = (gradients(objective(stop_gradient=s), IMAGE) for s in (False, True))
    for name, gradient in paper.items():
        torch.testing.assert_close(stopped[name], gradient / 2, msg=name)


def test_a_stopped_gradient_reaches_the_side_that_predicts_alone():
    """With the other side's projector fixed at a constant, nothing comes back from there."""
    made = objective(projector=8, stop_gradient=True)
    with torch.no_grad():
        made.transformer_projector[-1].weight.zero_()
    found = gradients(made, IMAGE)
    assert found["pair.cnn.encoder.stages.0.0.weight"].abs().sum() > 0
    assert all(
        gradient.abs().sum() == 0
        for name, gradient in found.items()
        if name.startswith(("pair.transformer.", "transformer_head."))
    )


def test_a_projector_keeps_the_length():
    made = objective(projector=32)
    sizes = [(layer.in_features, layer.out_features) for layer in made.cnn_projector[::3]]
    assert sizes == [(8, 32), (32, 8)]


def last_spread(seed, **options):
    """How far apart images are after training, as a fraction of what is healthy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        trained = pretrainer(
            max_epochs=15, random_state=seed, precision="fp32", batch_size=8, **options
        ).fit(SHAPES.images)
    assert trained.history_["distance"][-1] < 0.7 * trained.history_["distance"][0]
    return trained.history_["embedding_std"][[0, -1]] * math.sqrt(16)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_papers_loss_pulls_all_images_together_and_a_projector_does_not(seed):
    first, last = last_spread(seed)
    assert last < 0.6 * first
    for options in ({"projector": 64}, {"projector": 64, "stop_gradient": True}):
        assert last_spread(seed, **options)[-1] > 2 * last


def test_collapse_is_a_warning():
    with pytest.warns(CollapseWarning, match="of CASS"):
        pretrainer(learning_rate=0.03, max_epochs=10).fit(SHAPES.images)


def test_the_public_codes_schedule_swings():
    """Stepped at every batch with a half period of 16, as its CosineAnnealingLR is."""
    adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=16)
    rates = []
    for _ in range(32):
        rates.append(theirs.get_last_lr()[0])
        adam.step()
        theirs.step()
    trained = pretrainer(
        schedule=lambda t: 0.5 * (1 + math.cos(math.pi * 32 * t / 16)),
        max_epochs=4,
        batch_size=2,
        projector=16,
    ).fit(SHAPES.images)
    np.testing.assert_allclose(trained.history_["learning_rate"], rates[7::8], rtol=1e-4)


def test_the_default_schedule_falls_once():
    rates = pretrainer(max_epochs=6, projector=16).fit(SHAPES.images).history_["learning_rate"]
    np.testing.assert_allclose(rates, 0.5e-3 * (1 + np.cos(np.pi * np.arange(6) / 6)))


@pytest.mark.parametrize("keep", ["cnn", "transformer", "both"])
def test_what_is_kept(keep):
    trained = pretrainer(keep=keep).fit(SHAPES.images)
    sizes = {"cnn": 64, "transformer": 32, "both": 96}
    assert trained.transform(SHAPES.images).shape == (16, sizes[keep])
    assert len(trained.get_feature_names_out()) == sizes[keep]


def test_the_two_are_trained_alike_whatever_is_kept():
    both, cnn, transformer = (
        pretrainer(keep=keep).fit_transform(SHAPES.images)
        for keep in ("both", "cnn", "transformer")
    )
    np.testing.assert_array_equal(both, np.hstack([cnn, transformer]))


def encoder_of(network):
    return {name: t for name, t in network.state_dict().items() if name.startswith("encoder.")}


def frozen_fit(kind, source, encoder):
    """Fit a segmenter or classifier whose encoder stays as it was handed on."""
    made = kind(encoder=encoder, pretrainer=source, encoder_rate=0.0, max_epochs=1, random_state=0)
    y = SHAPES.masks if kind is SupervisedSegmenter else SHAPES.target
    return made.fit(SHAPES.images, y)


@pytest.mark.parametrize("form", ["unfitted", "frozen", "file"])
@pytest.mark.parametrize(
    ("keep", "kind", "encoder"),
    [
        ("cnn", SupervisedSegmenter, "tiny"),
        ("cnn", ImageClassifier, "tiny"),
        ("transformer", ImageClassifier, "tiny_vit"),
        ("both", SupervisedSegmenter, "tiny"),
        ("both", ImageClassifier, "tiny"),
        ("both", ImageClassifier, "tiny_vit"),
    ],
)
def test_handed_on(keep, kind, encoder, form, tmp_path):
    source = pretrainer(keep=keep, max_epochs=1)
    if form == "unfitted":
        fitted = frozen_fit(kind, source, encoder)
        theirs = fitted.pretrainer_.network_
    else:
        source.fit(SHAPES.images)
        save(source, tmp_path / "cass.safetensors")
        forms = {"frozen": FrozenEstimator(source), "file": tmp_path / "cass.safetensors"}
        fitted = frozen_fit(kind, forms[form], encoder)
        theirs = source.network_
    theirs = theirs.cnn if keep == "both" and encoder == "tiny" else theirs
    theirs = theirs.transformer if keep == "both" and encoder == "tiny_vit" else theirs
    expected, found = encoder_of(theirs), encoder_of(fitted.network_)
    assert expected.keys() <= set(fitted.transferred_["taken"])
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert torch.equal(fitted.network_.mean, theirs.mean)
    assert all(not name.startswith("head") for name in fitted.transferred_["taken"])


@pytest.mark.parametrize("form", ["frozen", "file"])
def test_an_encoder_that_neither_has(form, tmp_path):
    source = pretrainer(keep="both", max_epochs=1).fit(SHAPES.images)
    save(source, tmp_path / "cass.safetensors")
    given = FrozenEstimator(source) if form == "frozen" else tmp_path / "cass.safetensors"
    with pytest.raises(ValueError, match=r"'tiny' and 'tiny_vit'.*'resnet18'"):
        frozen_fit(ImageClassifier, given, "resnet18")


@pytest.mark.parametrize(
    ("given", "encoder", "expected"),
    [
        ({"keep": "cnn", "cnn": None}, "tiny", ("tiny", "tiny_vit")),
        ({"keep": "transformer", "transformer": None}, "tiny_vit", ("tiny", "tiny_vit")),
        ({"keep": "both", "cnn": None}, "tiny", ("tiny", "tiny_vit")),
        ({"keep": "both", "cnn": None, "transformer": "tiny_vit"}, "tiny_vit", (None, "tiny_vit")),
        ({"keep": "both", "transformer": None}, "tiny_vit", ("tiny", "tiny_vit")),
        ({"keep": "both", "transformer": None}, "tiny", ("tiny", None)),
        ({"keep": "both"}, "tiny_vit", ("tiny", "tiny_vit")),
    ],
)
def test_what_is_left_open_comes_from_the_next_estimator(given, encoder, expected, monkeypatch):
    """A named encoder stays; where it is the other's turn, the default stays."""
    seen = []
    monkeypatch.setattr(CASSPretrainer, "_make_objective", lambda self, samples: seen.append(self))
    with pytest.raises(AttributeError):
        frozen_fit(ImageClassifier, pretrainer(**given), encoder)
    assert (seen[0].cnn, seen[0].transformer) == expected


def test_the_weights_of_the_next_estimator_belong_to_its_encoder(tmp_path):
    """Both start from their files; one step at a rate of next to nothing changes nothing."""
    files = {}
    for name in ("tiny", "tiny_vit"):
        files[name] = tmp_path / f"{name}.pth"
        network = classification_network(encoder=name, n_classes=0)
        torch.save(network.encoder.state_dict(), files[name])
    classifier = ImageClassifier(
        encoder="tiny",
        encoder_weights=files["tiny"],
        pretrainer=pretrainer(
            cnn=None,
            keep="both",
            transformer_weights=files["tiny_vit"],
            learning_rate=1e-30,
            optimizer="sgd",
        ),
        max_epochs=1,
    ).fit(SHAPES.images, SHAPES.target)
    kept = classifier.pretrainer_.network_
    for network, name in ((kept.cnn, "tiny"), (kept.transformer, "tiny_vit")):
        expected = torch.load(files[name], weights_only=True)
        for tensor_name, tensor in network.encoder.state_dict().items():
            torch.testing.assert_close(tensor, expected[tensor_name], rtol=0, atol=1e-20)


def published(folder, n_classes=12):
    """Files of whole classifiers, as their publishers save them, and these models."""
    torch.manual_seed(0)
    models = {name: timm.create_model(name, num_classes=n_classes) for name in KINDS.values()}
    for name, model in models.items():
        torch.save({"state_dict": model.state_dict()}, folder / f"{name}.pth")
    return {kind: models[name].eval() for kind, name in KINDS.items()}


KINDS = {"cnn": "test_resnet", "transformer": "test_vit"}


def started(folder, n_outputs):
    files = {f"{kind}_weights": folder / f"{name}.pth" for kind, name in KINDS.items()}
    made = pretrainer(**KINDS, **files, n_outputs=n_outputs)
    return made._make_objective(made._make_samples(made._open(SHAPES.images))).eval()


def test_class_scores_of_the_weights_are_the_outputs_that_are_compared(tmp_path):
    models, cass = published(tmp_path), started(tmp_path, 12)
    image = torch.rand(3, 3, 160, 160)
    expected = {}
    for kind, model in models.items():
        network = cass.pair.get_submodule(kind)
        expected[kind] = model(network.prepare(image))
        outputs = cass.get_submodule(f"{kind}_head")(network(image))
        torch.testing.assert_close(outputs, expected[kind], rtol=1e-4, atol=1e-5)
    term = cass({"view_0": image}, START)["distance"]
    torch.testing.assert_close(term, distance(expected["cnn"], expected["transformer"]))


def test_outputs_of_another_number_start_at_random(tmp_path):
    models, cass = published(tmp_path), started(tmp_path, 8)
    assert cass.cnn_head.weight.shape == (8, 96)
    encoder = cass.pair.cnn.encoder.state_dict()
    assert torch.equal(encoder["conv1.0.weight"], models["cnn"].state_dict()["conv1.0.weight"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cnn": "tiny_vit"}, "cnn='tiny_vit' is a vision transformer.*keep='transformer'"),
        ({"transformer": "tiny"}, "transformer='tiny' has no attention.*keep='cnn'"),
    ],
)
def test_two_of_a_kind_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        pretrainer(**given).fit(SHAPES.images)


def test_a_single_image_is_refused():
    with pytest.raises(ValueError, match="expected at least 2"):
        pretrainer().fit(SHAPES.images[:1])


@pytest.mark.parametrize("keep", ["transformer", "both"])
def test_saved_pickled_and_cloned(keep, tmp_path):
    trained = pretrainer(keep=keep, projector=8).fit(SHAPES.images)
    save(trained, tmp_path / "saved.safetensors")
    for again in (load(tmp_path / "saved.safetensors"), pickle.loads(pickle.dumps(trained))):
        np.testing.assert_array_equal(
            again.transform(SHAPES.images), trained.transform(SHAPES.images)
        )
        assert repr(again) == repr(trained)
        assert vars(again).keys() == vars(trained).keys()
    np.testing.assert_array_equal(
        clone(trained).fit(SHAPES.images).transform(SHAPES.images), trained.transform(SHAPES.images)
    )


def test_one_view_takes_the_users_augmentation():
    """No change at all is a choice as well, and another one than the paper's."""
    plain, paper = (
        pretrainer(augmentation=a).fit(SHAPES.images).history_["distance"]
        for a in (Augmentation(), None)
    )
    assert (plain != paper).all()
