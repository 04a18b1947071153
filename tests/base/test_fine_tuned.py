"""Pretrainers handed on: unfitted, frozen or as a file, to segmenters and classifiers."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch import nn

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.base import Pretrainer
from segclf.datasets import make_shapes
from segclf.networks import classification_network
from segclf.objectives import Objective

SHAPES = make_shapes(10, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
TINY = {"encoder": "tiny", "max_epochs": 2, "random_state": 0}


class Witness(Pretrainer):
    """Learns the mean color of each image, and remembers the images that it saw."""

    encoder: str | None = None
    encoder_weights: object = None
    max_epochs: int = 2

    def _make_samples(self, images):
        self.seen_ = np.stack(images.take(np.arange(len(images))))
        return super()._make_samples(images)

    def _make_objective(self, samples):
        network = classification_network(
            encoder=self.encoder or "tiny",
            encoder_weights=self.encoder_weights,
            in_channels=samples.images.n_channels,
            n_classes=0,
        )
        return MeanColor(network)


class MeanColor(Objective):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.head = nn.Linear(network.n_features, len(network.mean))

    def forward(self, batch, progress):
        image = self.network.prepare(batch["image"])
        error = self.head(self.network(batch["image"])) - image.mean((2, 3))
        return {"color": error.square().mean()}


def segmenter(**changes):
    return SupervisedSegmenter(**{**TINY, **changes})


def classifier(**changes):
    return ImageClassifier(**{**TINY, **changes})


def witness(**changes):
    return Witness(encoder="tiny", random_state=1, **changes).fit(X)


def tensors(network, *, prefix="encoder."):
    return {
        name: tensor.clone()
        for name, tensor in network.state_dict().items()
        if name.startswith(prefix)
    }


def assert_equal_tensors(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_a_segmenter_shows_its_pretrainer_every_image():
    """Those without mask and label are worth nothing to the segmenter itself."""
    masks = [*MASKS[:4], *[None] * 6]
    fitted = segmenter(pretrainer=Witness()).fit(X, masks)
    np.testing.assert_array_equal(fitted.pretrainer_.seen_, X)


def test_a_classifier_shows_its_pretrainer_every_image():
    y = np.append(Y[:4], np.full(6, -1))
    fitted = classifier(pretrainer=Witness()).fit(X, y)
    np.testing.assert_array_equal(fitted.pretrainer_.seen_, X)


def test_the_encoder_starts_where_the_pretrainer_ended():
    given = Witness()
    fitted = classifier(pretrainer=given, encoder_rate=0.0).fit(X, Y)
    theirs = tensors(fitted.pretrainer_.network_)
    assert_equal_tensors(tensors(fitted.network_), theirs)
    assert not vars(given).keys() - given.get_params().keys(), "the given one stays unfitted"
    scratch = classifier(encoder_rate=0.0).fit(X, Y)
    assert not torch.equal(
        scratch.network_.encoder.stages[0][0].weight, theirs["encoder.stages.0.0.weight"]
    )


def test_what_the_pretrainer_leaves_open_is_as_here(tmp_path):
    path = tmp_path / "tiny.pth"
    torch.save(classification_network(encoder="tiny", n_classes=0).encoder.state_dict(), path)
    fitted = classifier(encoder_weights=path, image_size=8, n_threads=1, pretrainer=Witness()).fit(
        X, Y
    )
    inner = fitted.pretrainer_
    assert (inner.encoder, inner.image_size, inner.n_threads) == ("tiny", 8, 1)
    assert inner.encoder_weights == path
    assert isinstance(inner.random_state, int)


def test_what_the_pretrainer_says_itself_stays():
    given = Witness(encoder="tiny", image_size=12, random_state=7)
    inner = classifier(image_size=8, pretrainer=given).fit(X, Y).pretrainer_
    assert (inner.image_size, inner.random_state) == (12, 7)
    np.testing.assert_array_equal(
        clone(given).fit_transform(X), inner.transform(X), err_msg="as it is alone"
    )


def test_rows_are_images_of_the_pretrainer_too():
    rows = X.reshape(len(X), -1)
    fitted = classifier(image_shape=X.shape[1:], pretrainer=Witness()).fit(rows, Y)
    np.testing.assert_array_equal(fitted.pretrainer_.seen_, X)


def test_unfitted_with_another_encoder():
    with pytest.raises(ValueError, match="has the encoder 'tiny', this one 'resnet18'"):
        classifier(encoder="resnet18", pretrainer=Witness(encoder="tiny")).fit(X, Y)


def test_a_search_reaches_the_pretrainer():
    grid = {"pretrainer__learning_rate": [1e-3, 1e-2], "encoder_rate": [0.1]}
    search = GridSearchCV(classifier(pretrainer=Witness()), grid, cv=2, error_score="raise")
    found = search.fit(X, Y).best_estimator_
    assert found.pretrainer_.learning_rate == search.best_params_["pretrainer__learning_rate"]
    assert len(found.pretrainer_.seen_) == len(X)


def test_inside_of_a_segmentation_classifier():
    made = SegmentationClassifier(segmenter=segmenter(), random_state=0)
    made.set_params(segmenter__pretrainer=Witness(), segmenter__encoder_rate=0.0)
    grid = {"segmenter__pretrainer__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(made, grid, cv=2, error_score="raise").fit(X, Y, masks=MASKS)
    inner = search.best_estimator_.segmenter_
    np.testing.assert_array_equal(inner.pretrainer_.seen_, X)
    assert_equal_tensors(tensors(inner.network_), tensors(inner.pretrainer_.network_))


def test_a_frozen_one_is_used_as_it_is():
    inner = witness()
    before = pickle.dumps(inner)
    fitted = segmenter(pretrainer=FrozenEstimator(inner), encoder_rate=0.0).fit(X[:6], MASKS[:6])
    assert pickle.dumps(inner) == before, "neither fitted again nor changed"
    assert_equal_tensors(tensors(fitted.network_), tensors(inner.network_))
    assert not hasattr(fitted, "pretrainer_")


def test_training_on_leaves_a_frozen_one_alone():
    inner = witness()
    before = tensors(inner.network_)
    fitted = classifier(pretrainer=FrozenEstimator(inner)).fit(X, Y)
    assert_equal_tensors(tensors(inner.network_), before)
    weight = "encoder.stages.0.0.weight"
    assert not torch.equal(tensors(fitted.network_)[weight], before[weight])


def test_statistics_come_along():
    """The encoder shall see the pictures as it saw them when it learned."""
    inner = Witness(encoder="tiny").fit(X // 2 + 50)
    fitted = classifier(pretrainer=FrozenEstimator(inner)).fit(X, Y)
    scratch = classifier().fit(X, Y)
    for name in ("mean", "std"):
        theirs = getattr(inner.network_, name)
        assert torch.equal(getattr(fitted.network_, name), theirs)
        assert not torch.equal(getattr(scratch.network_, name), theirs)


def test_from_segmenter_to_segmenter():
    """Decoder and head have the same form there: what nothing trains predicts the same."""
    first = segmenter(max_epochs=4).fit(X, MASKS)
    second = segmenter(pretrainer=FrozenEstimator(first), learning_rate=1e-30, optimizer="sgd")
    second.fit(X[:4], MASKS[:4])
    assert second.transferred_["new"] == second.transferred_["unused"] == {}
    np.testing.assert_allclose(second.predict_proba(X), first.predict_proba(X), atol=1e-6)


def test_from_segmenter_to_another_form():
    frozen = FrozenEstimator(segmenter().fit(X, MASKS))
    with pytest.raises(ValueError, match=r"has the decoder .*'unet'.*this one .*'fpn'"):
        segmenter(architecture="fpn", pretrainer=frozen).fit(X, MASKS)


def test_from_segmenter_to_classifier():
    inner = segmenter().fit(X, MASKS)
    fitted = classifier(pretrainer=FrozenEstimator(inner), encoder_rate=0.0).fit(X, Y)
    assert_equal_tensors(tensors(fitted.network_), tensors(inner.network_))
    assert all(n.startswith(("decoder.", "head.")) for n in fitted.transferred_["unused"])


def test_frozen_but_not_fitted():
    with pytest.raises(NotFittedError, match="Witness"):
        classifier(pretrainer=FrozenEstimator(Witness())).fit(X, Y)


def test_frozen_without_a_network():
    rows = X.reshape(len(X), -1)
    with pytest.raises(TypeError, match=r"FrozenEstimator\(PCA\(\)\) has no network"):
        classifier(pretrainer=FrozenEstimator(PCA().fit(rows))).fit(X, Y)


def test_frozen_with_another_encoder():
    with pytest.raises(ValueError, match="has the encoder 'tiny', this one 'resnet18'"):
        classifier(encoder="resnet18", pretrainer=FrozenEstimator(witness())).fit(X, Y)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_file_that_we_saved(kind, tmp_path):
    inner = segmenter().fit(X, MASKS)
    save(inner, tmp_path / "saved.safetensors")
    path = kind(tmp_path / "saved.safetensors")
    fitted = segmenter(pretrainer=path, encoder_rate=0.0).fit(X, MASKS)
    assert_equal_tensors(tensors(fitted.network_), tensors(inner.network_))
    frozen = segmenter(pretrainer=FrozenEstimator(inner), encoder_rate=0.0).fit(X, MASKS)
    assert fitted.transferred_ == frozen.transferred_
    np.testing.assert_array_equal(fitted.predict_proba(X), frozen.predict_proba(X))


def test_a_file_with_a_state_dict(tmp_path):
    encoder = classification_network(encoder="tiny", n_classes=0).encoder
    torch.save({"state_dict": encoder.state_dict()}, tmp_path / "tiny.pth")
    fitted = classifier(pretrainer=tmp_path / "tiny.pth", encoder_rate=0.0).fit(X, Y)
    expected = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    assert_equal_tensors(tensors(fitted.network_), expected)
    assert set(fitted.transferred_["taken"]) == expected.keys()
    scratch = classifier().fit(X, Y)
    assert torch.equal(fitted.network_.mean, scratch.network_.mean), "our own statistics"


def test_a_file_of_another_encoder(tmp_path):
    save(segmenter().fit(X, MASKS), tmp_path / "saved.safetensors")
    with pytest.raises(ValueError, match=r"saved\.safetensors .*'tiny', this one 'resnet18'"):
        classifier(encoder="resnet18", pretrainer=tmp_path / "saved.safetensors").fit(X, Y)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        classifier(pretrainer=tmp_path / "nowhere.pth").fit(X, Y)


@pytest.mark.parametrize("given", [PCA(), Witness, segmenter(), 3])
def test_no_pretrainer(given):
    with pytest.raises(ValueError, match="The 'pretrainer' parameter of ImageClassifier must be"):
        classifier(pretrainer=given).fit(X, Y)


def test_the_report_names_every_tensor_once():
    fitted = segmenter(pretrainer=Witness()).fit(X, MASKS)
    report = fitted.transferred_
    assert set(report) == {"taken", "new", "unused"}
    assert sorted([*report["taken"], *report["new"]]) == sorted(fitted.network_.state_dict())
    assert set(report["taken"]) == set(fitted.pretrainer_.network_.state_dict())
    assert set(report["new"].values()) == {"the pretrained network has no such tensor"}
    assert report["unused"] == {}


def test_an_encoder_rate_of_zero_freezes_every_bit():
    """A ResNet's batch normalizations too: their statistics stay where the pretrainer's end."""
    inner = Witness(encoder="resnet18", max_epochs=1, random_state=0).fit(X)
    before = tensors(inner.network_)
    assert before["encoder.bn1.num_batches_tracked"] > 0
    frozen, trained = (
        classifier(
            encoder="resnet18",
            pretrainer=FrozenEstimator(inner),
            encoder_rate=rate,
            max_epochs=1,
        ).fit(X, Y)
        for rate in (0.0, 1.0)
    )
    assert_equal_tensors(tensors(frozen.network_), before)
    for name in ("encoder.bn1.running_mean", "encoder.bn1.weight", "encoder.conv1.weight"):
        assert not torch.equal(tensors(trained.network_)[name], before[name])


def test_an_encoder_rate_of_zero_trains_the_rest():
    settings = {"pretrainer": FrozenEstimator(witness()), "encoder_rate": 0.0}
    one, two = (classifier(max_epochs=n, **settings).fit(X, Y) for n in (1, 2))
    assert not torch.equal(one.network_.head.weight, two.network_.head.weight)


def test_the_encoder_is_a_group_of_its_own():
    made = []

    def optimizer(groups, *, lr, weight_decay):
        made.append(torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay))
        return made[-1]

    fitted = segmenter(
        pretrainer=FrozenEstimator(witness()),
        encoder_rate=0.1,
        learning_rate=0.5,
        optimizer=optimizer,
        schedule="constant",
    ).fit(X, MASKS)
    rates = {
        parameter: group["lr"] for group in made[-1].param_groups for parameter in group["params"]
    }
    for name, parameter in fitted.network_.named_parameters():
        expected = 0.05 if name.startswith("encoder.") else 0.5
        assert rates[parameter] == pytest.approx(expected), name


def test_frozen_without_a_pretrainer(tmp_path):
    encoder = classification_network(encoder="tiny", n_classes=0).encoder
    torch.save(encoder.state_dict(), tmp_path / "tiny.pth")
    fitted = classifier(encoder_weights=tmp_path / "tiny.pth", encoder_rate=0.0).fit(X, Y)
    expected = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    assert_equal_tensors(tensors(fitted.network_), expected)


def test_an_encoder_rate_below_zero():
    with pytest.raises(ValueError, match="encoder_rate"):
        classifier(encoder_rate=-0.1).fit(X, Y)


def test_nothing_stale_is_left():
    fitted = classifier(pretrainer=Witness()).fit(X, Y)
    fitted.set_params(pretrainer=FrozenEstimator(witness())).fit(X, Y)
    assert not hasattr(fitted, "pretrainer_")
    assert hasattr(fitted, "transferred_")
    fitted.set_params(pretrainer=None).fit(X, Y)
    assert not hasattr(fitted, "transferred_")
    np.testing.assert_array_equal(fitted.predict_proba(X), classifier().fit(X, Y).predict_proba(X))


def test_a_refit_thaws_the_encoder():
    fitted = classifier(pretrainer=Witness(), encoder_rate=0.0).fit(X, Y)
    fitted.set_params(encoder_rate=1.0).fit(X, Y)
    weight = "encoder.stages.0.0.weight"
    theirs, ours = tensors(fitted.pretrainer_.network_), tensors(fitted.network_)
    assert not torch.equal(theirs[weight], ours[weight])


def test_same_seed_same_bits():
    first, second = (segmenter(pretrainer=Witness()).fit(X, MASKS) for _ in range(2))
    expected = first.predict_proba(X)
    np.testing.assert_array_equal(second.predict_proba(X), expected)
    np.testing.assert_array_equal(first.fit(X, MASKS).predict_proba(X), expected)
    other = segmenter(pretrainer=Witness(), random_state=1).fit(X, MASKS)
    assert (other.pretrainer_.transform(X) != first.pretrainer_.transform(X)).any()


def test_clone_gives_an_unfitted_one():
    fitted = classifier(pretrainer=Witness(learning_rate=0.01)).fit(X, Y)
    copy = clone(fitted)
    assert vars(copy).keys() == set(copy.get_params(deep=False))
    assert copy.pretrainer is not fitted.pretrainer
    assert copy.pretrainer.learning_rate == 0.01
    np.testing.assert_array_equal(copy.fit(X, Y).predict_proba(X), fitted.predict_proba(X))


def test_pickled_and_saved_with_its_pretrainer(tmp_path):
    fitted = classifier(pretrainer=Witness()).fit(X, Y)
    del fitted.pretrainer_.seen_
    save(fitted, tmp_path / "saved.safetensors")
    again = load(tmp_path / "saved.safetensors", trusted=[Witness])
    for copy in (again, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(copy.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(
            copy.pretrainer_.transform(X), fitted.pretrainer_.transform(X)
        )
        assert copy.transferred_ == fitted.transferred_
