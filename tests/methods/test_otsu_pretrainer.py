import inspect
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from segclf import ImageClassifier, OtsuPretrainer, SupervisedSegmenter
from segclf.losses import focal_tversky, get_loss
from segclf.metrics import mean_iou
from segclf.objectives import Progress
from segclf.registry import PluginError, load_plugin

SIZE = 24
START = Progress(epoch=0, step=0, fraction=0.0)


def discs(n_images=16, size=SIZE):
    """Images with one bright disc each, and its mask."""
    generator = np.random.default_rng(0)
    centers = generator.uniform(7, size - 7, (n_images, 2, 1, 1))
    radius = generator.uniform(4, 6, (n_images, 1, 1))
    masks = np.linalg.norm(np.indices((size, size)) - centers, axis=1) < radius
    noise = generator.integers(0, 60, (n_images, size, size))
    return (noise + 120 * masks).astype(np.uint8), masks.astype(np.uint8)


IMAGES, MASKS = discs()
THRESHOLD = 90 / 255


def pretrainer(**changes):
    settings = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}
    return OtsuPretrainer(**{**settings, **changes})


def objective_of(estimator, images=IMAGES):
    """The untrained objective, and all samples as one batch."""
    samples = estimator._make_samples(estimator._open(images))
    torch.manual_seed(0)
    return estimator._make_objective(samples), samples.batch(np.arange(len(samples)))


class Recorder(BaseEstimator):
    """Keeps the gray images that it is asked about."""

    def __init__(self):
        self.seen = []

    def __call__(self, image):
        self.seen.append(image)
        return image > image.mean()


class BatchRecorder(Recorder):
    """Is asked for many masks at once."""

    def transform(self, X):
        self.seen.append(len(X))
        return [image > THRESHOLD for image in X]


class Still(torch.optim.SGD):
    """Changes nothing, so that after training a network is as it was handed on."""

    def step(self, closure=None):
        """Do not."""


def still(groups, *, lr, weight_decay):
    return Still(groups, lr=lr, weight_decay=weight_decay)


def segmenter(**changes):
    settings = {"encoder": "tiny", "max_epochs": 1, "random_state": 0, "optimizer": still}
    return SupervisedSegmenter(**{**settings, **changes})


def assert_taken(host, learned, prefixes):
    """All tensors of those prefixes, and the statistics, are the pretrainer's, bit by bit."""
    ours, theirs = host.network_.state_dict(), learned.state_dict()
    taken = {name for name in ours if name.startswith((*prefixes, "mean", "std"))}
    assert set(host.transferred_["taken"]) == taken
    for name in taken:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=0)


def test_masks_are_made_once_for_each_image():
    recorder = Recorder()
    pretrainer(thresholder=recorder, max_epochs=4, batch_size=4).fit(IMAGES)
    assert len(recorder.seen) == len(IMAGES)


def test_a_transform_makes_many_masks_at_once():
    recorder = BatchRecorder()
    images, masks = discs(40)
    _, batch = objective_of(pretrainer(thresholder=recorder), images)
    assert recorder.seen == [32, 8]
    np.testing.assert_array_equal(batch["mask"], masks)


@pytest.mark.parametrize("name", ["otsu", "ght", "adaptive_mean", "adaptive_gaussian"])
def test_masks_are_those_of_the_installed_thresholder(name):
    _, batch = objective_of(pretrainer(thresholder=name))
    found = load_plugin("thresholder", name)().transform(np.float32(IMAGES) / np.float32(255))
    np.testing.assert_array_equal(batch["mask"], found)
    assert 0 < found.mean() < 1


def test_polarity_is_the_thresholders():
    estimator = pretrainer(thresholder=load_plugin("thresholder", "otsu")())
    _, bright = objective_of(estimator)
    _, dark = objective_of(estimator.set_params(thresholder__polarity="dark"))
    np.testing.assert_array_equal(bright["mask"] + dark["mask"], 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_thresholded_as_float_from_0_to_1(dtype):
    recorder = Recorder()
    images = IMAGES.astype(dtype) * (np.iinfo(dtype).max // 255)
    objective_of(pretrainer(thresholder=recorder), images)
    assert recorder.seen[0].dtype == np.float32
    np.testing.assert_allclose(recorder.seen, IMAGES / 255, rtol=1e-6)


def test_color_is_thresholded_as_luma():
    recorder = Recorder()
    color = np.stack([IMAGES, IMAGES[:, ::-1], IMAGES[:, :, ::-1]], axis=-1)
    objective_of(pretrainer(thresholder=recorder), color)
    luma = color[0] / 255 @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(recorder.seen[0], luma, rtol=1e-6)


def test_masks_are_made_at_the_size_that_the_network_sees():
    recorder = Recorder()
    mixed = [image[: SIZE - i % 3] for i, image in enumerate(IMAGES)]
    _, batch = objective_of(pretrainer(thresholder=recorder, image_size=(12, 16)), mixed)
    assert {(image.shape, image.dtype.name) for image in recorder.seen} == {((12, 16), "float32")}
    assert batch["mask"].shape == (len(mixed), 12, 16)


def test_an_augmentation_moves_the_mask_along():
    def turn(image, mask, generator):
        np.testing.assert_array_equal(mask, image[:, 0] > THRESHOLD)
        return image.flip(3), mask.flip(2)

    def loss(logits, target, *, sample_weight, class_weight):
        targets.append(target)
        return focal_tversky(logits, target)

    targets = []
    changes = {"thresholder": lambda gray: gray > THRESHOLD, "augmentation": turn, "loss": loss}
    pretrainer(**changes, max_epochs=1, batch_size=16).fit(IMAGES)
    rows = sorted(mask.tobytes() for mask in targets[-1].numpy())
    assert rows == sorted(mask[:, ::-1].astype(np.int64).tobytes() for mask in MASKS)


@pytest.mark.parametrize(
    ("threshold", "given"),
    [
        (lambda gray: gray[1:] > THRESHOLD, r"bool of shape \(23, 24\) for sample 0"),
        (lambda gray: gray.astype(np.uint8), r"uint8 of shape \(24, 24\) for sample 0"),
        (
            lambda gray: (
                gray > THRESHOLD
                if (gray == IMAGES[0] / np.float32(255)).all()
                else (gray > THRESHOLD)[None]
            ),
            r"bool of shape \(1, 24, 24\) for sample 1",
        ),
    ],
)
def test_what_is_no_mask_is_named_with_its_sample(threshold, given):
    expected = rf"lambda.*returned {given}; expected a mask, bool of shape \(24, 24\)\."
    with pytest.raises(ValueError, match=expected):
        pretrainer(thresholder=threshold).fit(IMAGES)


def test_a_missing_mask_is_an_error():
    class Forgetful(BatchRecorder):
        def transform(self, X):
            return super().transform(X)[1:]

    with pytest.raises(ValueError, match=r"Forgetful\(\) returned 15 masks for 16 images"):
        pretrainer(thresholder=Forgetful()).fit(IMAGES)


def test_an_unknown_thresholder_is_named_with_those_there_are():
    with pytest.raises(PluginError, match=r"adaptive_mean, ght, otsu\. Did you mean 'otsu'"):
        pretrainer(thresholder="otsus").fit(IMAGES)


@pytest.mark.parametrize("loss", ["focal_tversky", "tversky", "focal", "cross_entropy"])
def test_the_loss_is_against_the_masks(loss):
    objective, batch = objective_of(pretrainer(loss=loss))
    terms = objective(batch, START)
    assert terms.keys() == {"segmentation"}
    expected = get_loss(loss)(objective.segmenter(batch["image"]), torch.from_numpy(MASKS).long())
    torch.testing.assert_close(terms["segmentation"], expected)


def test_the_network_is_the_papers():
    """U-Net of a ResNet-50 with three stages; only conv1, layer1 and layer2 learn."""
    objective, batch = objective_of(OtsuPretrainer(), np.stack([IMAGES[:2]] * 3, axis=-1))
    recipe = objective.segmenter.recipe
    assert (recipe["architecture"], recipe["encoder"]) == ("unet", "resnet50")
    assert (recipe["encoder_depth"], recipe["decoder_channels"]) == (3, [256, 128, 64])
    assert recipe["decoder_attention"] == "scse"
    objective(batch, START)["segmentation"].backward()
    encoder = objective.segmenter.encoder
    learning = {name: p for name, p in encoder.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in learning} == {"conv1", "bn1", "layer1", "layer2"}
    assert sum(p.numel() for p in learning.values()) == 1_444_928
    assert sum(p.numel() for p in encoder.parameters()) == 23_508_032
    assert sum(p.numel() for p in objective.parameters() if p.requires_grad) == 26_599_728
    assert objective.network.n_features == 512


def test_an_architecture_has_its_own_defaults():
    objective, _ = objective_of(pretrainer(architecture="unet", encoder="resnet18"))
    recipe = objective.segmenter.recipe
    assert recipe["decoder_channels"] == [256, 128, 64, 32, 16]
    assert recipe["decoder_attention"] is None


def test_the_vision_transformer_is_the_papers():
    objective, _ = objective_of(pretrainer(architecture="vit_unet", encoder=None), IMAGES[:2])
    assert objective.segmenter.recipe["encoder"] == "vit_small_patch8_224"
    assert objective.network.n_features == 384


@pytest.mark.parametrize("n_iter_no_change", [None, 1])
def test_the_whole_network_trains_and_the_encoder_is_kept(n_iter_no_change):
    """So that it embeds as the segmenter does that was trained end to end."""
    changes = {"max_epochs": 3, "n_iter_no_change": n_iter_no_change, "learning_rate": 0.1}
    alone = pretrainer(**changes).fit(IMAGES)
    whole = pretrainer(**changes, train="end_to_end").fit(IMAGES)
    embeddings = alone.transform(IMAGES)
    assert embeddings.shape == (16, 64)
    np.testing.assert_array_equal(embeddings, whole.transform(IMAGES))
    assert alone.network_.recipe["kind"] == "classification"
    untrained = objective_of(pretrainer())[0].network.state_dict()
    trained = alone.network_.state_dict()
    assert any((trained[name] != untrained[name]).any() for name in trained if "stages" in name)


def test_end_to_end_it_segments_by_itself():
    trained = pretrainer(train="end_to_end", max_epochs=20, batch_size=4).fit(IMAGES)
    assert trained.history_["segmentation"][-1] < trained.history_["segmentation"][0]
    predicted = trained.predict(IMAGES)
    assert (predicted.shape, predicted.dtype) == (MASKS.shape, np.uint8)
    assert mean_iou(MASKS, predicted) > 0.9
    probabilities = trained.predict_proba(IMAGES)
    assert (probabilities.shape, probabilities.dtype) == ((16, 2, SIZE, SIZE), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), predicted)


def test_masks_come_back_at_the_own_size():
    mixed = [image[: SIZE - i % 3] for i, image in enumerate(IMAGES)]
    trained = pretrainer(train="end_to_end", image_size=16).fit(mixed)
    assert [mask.shape for mask in trained.predict(mixed)] == [image.shape for image in mixed]


def test_all_foreground_scores_the_share_of_the_foreground():
    """The baseline of the paper's Table 1, see the notes of the class."""
    assert mean_iou(MASKS, np.ones_like(MASKS)) == pytest.approx(MASKS.mean())


def test_without_its_decoder_it_says_why_it_does_not_segment():
    trained = pretrainer().fit(IMAGES)
    assert not hasattr(trained, "predict_proba")
    with pytest.raises(AttributeError, match="has no attribute 'predict'") as raised:
        trained.predict(IMAGES)
    assert "train='end_to_end' to keep the decoder" in str(raised.value.__cause__)


def test_unfitted_it_does_not_segment():
    with pytest.raises(NotFittedError):
        pretrainer(train="end_to_end").predict(IMAGES)


@pytest.mark.parametrize("train", ["encoder", "end_to_end"])
def test_it_travels(train):
    trained = pretrainer(train=train).fit(IMAGES)
    # The pickler between processes: nothing here is ever read from a file.
    arrived = ForkingPickler.loads(ForkingPickler.dumps(trained))
    np.testing.assert_array_equal(arrived.transform(IMAGES), trained.transform(IMAGES))
    if train == "end_to_end":
        np.testing.assert_array_equal(arrived.predict(IMAGES), trained.predict(IMAGES))


def test_the_encoder_is_handed_on_to_a_segmenter():
    host = segmenter(pretrainer=pretrainer()).fit(IMAGES, MASKS)
    assert_taken(host, host.pretrainer_.network_, ["encoder."])
    assert any(name.startswith("decoder.") for name in host.transferred_["new"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder_depth": 2, "decoder_channels": [32, 16], "decoder_attention": "scse"},
        {"architecture": "deeplabv3plus"},
    ],
)
def test_everything_is_handed_on_to_a_segmenter(changes):
    host = segmenter(pretrainer=pretrainer(train="end_to_end", encoder=None), **changes)
    host.fit(IMAGES, MASKS)
    assert host.pretrainer_.network_.recipe == host.network_.recipe
    assert_taken(host, host.pretrainer_.network_, ["encoder.", "decoder.", "head."])
    assert host.transferred_["new"] == host.transferred_["unused"] == {}
    np.testing.assert_array_equal(host.predict(IMAGES), host.pretrainer_.predict(IMAGES))


def test_a_fitted_vision_transformer_is_handed_on():
    vit = {"architecture": "vit_unet", "encoder": "tiny_vit"}
    learned = pretrainer(train="end_to_end", **vit).fit(IMAGES)
    host = segmenter(pretrainer=FrozenEstimator(learned), **vit).fit(IMAGES, MASKS)
    assert_taken(host, learned.network_, ["encoder.", "decoder.", "head."])
    host = segmenter(pretrainer=pretrainer(encoder=None), **vit).fit(IMAGES, MASKS)
    taken = {name for name in host.network_.state_dict() if name.startswith(("enc", "mean", "std"))}
    assert set(host.transferred_["taken"]) == taken
    assert host.pretrainer_.transform(IMAGES).shape == (16, 32)


def test_the_encoder_is_handed_on_to_a_classifier():
    host = ImageClassifier(
        encoder="tiny", max_epochs=1, optimizer=still, pretrainer=pretrainer(encoder=None)
    ).fit(IMAGES, np.arange(16) % 2)
    assert host.pretrainer_.encoder == "tiny"
    assert host.pretrainer_.encoder_depth is None
    assert_taken(host, host.pretrainer_.network_, ["encoder."])


def test_decoders_that_differ_are_an_error():
    other = pretrainer(train="end_to_end", architecture="fpn")
    with pytest.raises(ValueError, match=r"'architecture': 'fpn'.*'architecture': 'unet'"):
        segmenter(pretrainer=other).fit(IMAGES, MASKS)


def test_the_encoder_of_another_architecture_fits():
    host = segmenter(pretrainer=pretrainer(architecture="fpn", encoder=None)).fit(IMAGES, MASKS)
    assert_taken(host, host.pretrainer_.network_, ["encoder."])


def test_stages_that_do_not_train_give_no_embedding():
    with pytest.raises(ValueError, match=r"'convnext_atto'.*encoder_depth=3 nothing trains 26 of"):
        pretrainer(encoder="convnext_atto").fit(IMAGES)


@pytest.mark.parametrize("loss", ["focal_tversky", "cross_entropy"])
@pytest.mark.parametrize("value", [0.0, 0.3, 7.7])
def test_constant_images_have_empty_masks(loss, value):
    flat = np.full((4, 13, 17, 3), value, dtype=np.float32)
    estimator = pretrainer(loss=loss, train="end_to_end", image_size=(8, 11))
    _, batch = objective_of(estimator, flat)
    assert not batch["mask"].any()
    trained = estimator.fit(flat)
    assert np.isfinite(trained.history_["loss"]).all()
    assert np.isfinite(trained.transform(flat)).all()


def test_rows_are_images_too():
    trained = pretrainer(train="end_to_end", image_shape=(SIZE, SIZE))
    rows = trained.fit(IMAGES.reshape(16, -1)).predict(IMAGES.reshape(16, -1))
    images = trained.set_params(image_shape=None).fit(IMAGES).predict(IMAGES)
    np.testing.assert_array_equal(rows, images)


def test_held_out_images_have_masks_too():
    trained = pretrainer(validation_fraction=0.25).fit(IMAGES)
    assert (trained.history_["validation_segmentation"] > 0).all()


def test_defaults_are_the_papers():
    parameters = inspect.signature(OtsuPretrainer).parameters
    names = ["max_epochs", "batch_size", "n_iter_no_change", "thresholder", "loss"]
    defaults = [parameters[name].default for name in names]
    assert defaults == [50, 16, 5, "otsu", "focal_tversky"]
