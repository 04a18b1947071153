import pickle

import numpy as np
import pytest
import torch

from segclf import ImageClassifier, SupervisedSegmenter
from segclf.base import network_holder
from segclf.base.network_state import set_statistics
from segclf.data import Samples, as_images
from segclf.datasets import make_shapes


def classifier(**changes):
    settings = {
        "encoder": "tiny",
        "encoder_weights": None,
        "max_epochs": 2,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return ImageClassifier(**{**settings, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(24, image_size=32, n_objects=4, random_state=0)


@pytest.mark.parametrize("size", [None, (4, 5)])
def test_statistics_are_those_of_numpy(size):
    pixels = np.random.default_rng(0).normal(3, 2, (40, 4, 5, 2)).astype(np.float32)

    objective = classifier()
    objective.classes_, objective._weights = np.arange(2), None
    samples = Samples(images=as_images(pixels), size=size)
    made = objective._make_objective(samples)
    set_statistics(made, samples)
    np.testing.assert_allclose(made.network.mean.numpy(), pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(made.network.std.numpy(), pixels.std((0, 1, 2)), rtol=1e-5)


def test_uint8_and_floats_up_to_one_agree(shapes):
    fitted = classifier().fit(shapes.images, shapes.target)
    floats = shapes.images.astype(np.float32) / 255
    np.testing.assert_allclose(
        fitted.predict_proba(floats), fitted.predict_proba(shapes.images), atol=1e-6
    )


def test_history_has_a_value_for_each_epoch(shapes):
    fitted = classifier(validation_fraction=0.25).fit(shapes.images, shapes.target)
    assert fitted.n_iter_ == 2
    assert {name: len(values) for name, values in fitted.history_.items()} == dict.fromkeys(
        ["epoch", "learning_rate", "classification", "loss",
         "validation_classification", "validation_loss", "seconds"], 2
    )  # fmt: skip


def test_steps_end_training(shapes):
    fitted = classifier(max_steps=3, batch_size=12).fit(shapes.images, shapes.target)
    assert (fitted.n_steps_, fitted.n_iter_, fitted.termination_condition_) == (3, 2, "max_steps")
    fitted.set_params(max_steps=None, max_seconds=1e-9).fit(shapes.images, shapes.target)
    assert (fitted.n_steps_, fitted.termination_condition_) == (1, "max_seconds")


def test_early_stopping_watches_training_without_validation(shapes):
    """A learning rate of next to nothing cannot lower the loss for long."""
    fitted = classifier(max_epochs=60, learning_rate=1e-30, n_iter_no_change=2)
    assert fitted.fit(shapes.images, shapes.target).n_iter_ < 60


def test_global_state_is_restored(shapes):
    torch.manual_seed(5)
    expected = torch.rand(1)
    before = torch.get_num_threads()
    torch.manual_seed(5)
    classifier(n_threads=before + 1).fit(shapes.images, shapes.target)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == before


def test_the_state_holds_arrays_only(shapes):
    fitted = classifier().fit(shapes.images, shapes.target)
    state = fitted.__getstate__()
    assert set(state["network_"]) == {"recipe", "arrays"}
    assert all(isinstance(a, np.ndarray) for a in state["network_"]["arrays"].values())
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(shapes.images), fitted.predict_proba(shapes.images))


def test_bf16_and_fp32_predict_the_same_masks_within_noise():
    shapes, test = (
        make_shapes(n, image_size=32, n_objects=4, target_radius=5, random_state=seed)
        for n, seed in ((48, 0), (64, 1))
    )
    settings = {"encoder": "tiny", "max_epochs": 16, "learning_rate": 1e-2, "random_state": 0}
    scores = [
        SupervisedSegmenter(precision=precision, schedule="cosine", batch_size=8, **settings)
        .fit(shapes.images, shapes.masks)
        .score(test.images, test.masks)
        for precision in ("fp32", "bf16")
    ]
    assert min(scores) > 0.6
    assert abs(scores[0] - scores[1]) < 0.05


def test_fp16_learns_what_fp32_learns(shapes):
    losses = {}
    for precision in ("fp32", "fp16"):
        settings = {"encoder": "tiny", "max_epochs": 3, "precision": precision, "random_state": 0}
        fitted = SupervisedSegmenter(**settings).fit(shapes.images, shapes.masks)
        assert fitted.precision_ == precision
        losses[precision] = fitted.history_["loss"]
    assert losses["fp32"][-1] < losses["fp32"][0]
    np.testing.assert_allclose(losses["fp16"], losses["fp32"], rtol=0.02)


def test_rows_are_images_of_their_shape(shapes):
    rows = shapes.images.reshape(len(shapes.images), -1)
    as_rows = classifier(image_shape=(32, 32, 3)).fit(rows, shapes.target)
    as_pictures = classifier().fit(shapes.images, shapes.target)
    np.testing.assert_array_equal(
        as_rows.predict_proba(rows), as_pictures.predict_proba(shapes.images)
    )
    assert as_rows.n_features_in_ == 32 * 32 * 3


def test_memory_is_flat_over_files(tmp_path, monkeypatch, shapes):
    """However many files there are, no more than a batch and the next are in memory."""
    import cv2

    from segclf.data import file_source

    paths = [str(tmp_path / f"{i}.png") for i in range(90)]
    for path in paths:
        cv2.imwrite(path, shapes.images[0])
    fitted = classifier(batch_size=4).fit(shapes.images, shapes.target)
    reads = []
    read = file_source.read_image
    monkeypatch.setattr(
        file_source, "read_image", lambda path, **how: reads.append(path) or read(path, **how)
    )
    ahead = []
    _, outputs = fitted._outputs(paths, lambda scores: scores)
    for n_seen, _ in enumerate(outputs, start=1):
        ahead.append(len(reads) - 4 * n_seen)
    assert len(reads) == 90
    assert max(ahead) <= 4


@pytest.mark.parametrize("kind", [ImageClassifier, SupervisedSegmenter])
def test_what_governs_prediction_may_be_set_after_fit(kind, shapes, monkeypatch):
    settings = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    y = shapes.target if kind is ImageClassifier else shapes.masks
    fitted = kind(**settings).fit(shapes.images, y)
    changes = {"batch_size": 3, "device": "cpu", "precision": "bf16", "n_threads": 2}
    if kind is SupervisedSegmenter:
        changes["tile_size"] = 16
    plans = []
    predict = network_holder.predict_batches
    monkeypatch.setattr(
        network_holder,
        "predict_batches",
        lambda network, images, plan, *rest, **options: (
            plans.append(plan) or predict(network, images, plan, *rest, **options)
        ),
    )
    before = fitted.predict_proba(shapes.images)
    after = fitted.set_params(**changes).predict_proba(shapes.images)
    del changes["device"]
    planned = changes | ({"tile_size": (16, 16)} if "tile_size" in changes else {})
    assert {name: getattr(plans[1], name) for name in changes} == planned
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 0), ("precision", "fp64"), ("n_threads", 1.5)]
)
def test_nonsense_set_after_fit_is_refused(name, value, shapes):
    fitted = classifier(max_epochs=1).fit(shapes.images, shapes.target)
    with pytest.raises(ValueError, match=f"The '{name}' parameter of ImageClassifier must be"):
        fitted.set_params(**{name: value}).predict(shapes.images)
