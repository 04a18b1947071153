"""Frozen encoders in fits: each image is encoded once, and not where it would be wrong."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from joblib import Memory
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from segclf import (
    ImageClassifier,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
    save,
)
from segclf.cache import as_memory
from segclf.datasets import make_shapes
from segclf.networks import classification_network, encoder_memory

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(classification_network(encoder="tiny", n_classes=0).encoder.state_dict(), path)
    return path


def segmenter(weights, **changes):
    settings = {"encoder_weights": weights, "encoder_rate": 0.0, "max_epochs": 3, "batch_size": 4}
    settings |= {"architecture": "unet", "optimizer": "adam", "learning_rate": 1e-4}
    settings |= {"schedule": "constant", "weight_decay": 0}
    return SupervisedSegmenter(encoder="tiny", random_state=0, **{**settings, **changes})


@pytest.mark.parametrize("changes", [{}, {"augmentation": "flips"}, {"validation_fraction": 0.25}])
def test_a_fit_encodes_each_image_once(changes, weights, tmp_path, encoded):
    plain = segmenter(weights, **changes).fit(X, MASKS)
    assert sum(encoded) == 8
    encoded.clear()
    fitted = segmenter(weights, memory=tmp_path, **changes).fit(X, MASKS)
    assert sum(encoded) == 8
    assert fitted.history_["loss"].tolist() == plain.history_["loss"].tolist()
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


def test_the_same_is_learned_where_there_is_no_room(weights, encoded, monkeypatch):
    roomy = segmenter(weights).fit(X, MASKS)
    monkeypatch.setattr(encoder_memory, "KEPT_BYTES", 5000)
    encoded.clear()
    tight = segmenter(weights).fit(X, MASKS)
    assert 8 < sum(encoded) < 3 * 8, "some fit in"
    np.testing.assert_allclose(tight.history_["loss"], roomy.history_["loss"], rtol=1e-4)


def test_the_decoder_of_a_whole_fit_sees_half_precision(weights):
    """Close to what it sees of an encoder that learns next to nothing."""
    frozen = segmenter(weights).fit(X, MASKS)
    slow = segmenter(weights, encoder_rate=1e-30).fit(X, MASKS)
    np.testing.assert_allclose(frozen.history_["loss"], slow.history_["loss"], rtol=1e-2)


def test_nothing_kept_is_in_the_fitted_estimator(weights, encoded):
    fitted = segmenter(weights, augmentation="flips").fit(X, MASKS)
    assert "forward" not in fitted.network_.encoder.__dict__
    assert fitted.network_.turns is None
    assert len(pickle.dumps(fitted)) < 1.05 * len(
        pickle.dumps(segmenter(weights, encoder_rate=1.0).fit(X, MASKS))
    )


def test_flips_act_on_maps(weights):
    """They change what is learned, by torch's generator: the same seed, the same bits."""
    flipped = [segmenter(weights, augmentation="flips").fit(X, MASKS) for _ in range(2)]
    losses = [each.history_["loss"].tolist() for each in flipped]
    assert losses[0] == losses[1] != segmenter(weights).fit(X, MASKS).history_["loss"].tolist()


def test_flips_of_images_of_which_only_a_vector_is_known(encoded):
    """There are four of each."""
    classifier = ImageClassifier(
        encoder="tiny_vit", encoder_rate=0.0, augmentation="flips", max_epochs=40, random_state=0
    )
    seen = []
    network = classifier._network
    classifier._network = lambda n_channels: counted(network(n_channels), seen)
    classifier.fit(X[:2], Y[:2] * 0 + np.arange(2))
    assert 2 < sum(seen) <= 8


def counted(network, seen):
    network.encoder.patch_embed.register_forward_hook(
        lambda module, inputs, output: seen.append(len(output))
    )
    return network


def test_another_decoder_encodes_nothing(weights, tmp_path, encoded):
    segmenter(weights, memory=tmp_path).fit(X, MASKS)
    encoded.clear()
    changes = {"decoder_channels": (16, 8, 8), "learning_rate": 0.1}
    segmenter(weights, memory=tmp_path, **changes).fit(X, MASKS)
    assert encoded == []


def test_predictions_are_computed(weights, tmp_path, encoded):
    fitted = segmenter(weights, memory=tmp_path).fit(X, MASKS)
    expected = fitted.predict_proba(X)
    assert sum(encoded) == 8
    again = segmenter(weights, memory=tmp_path).fit(X, MASKS)
    np.testing.assert_array_equal(again.predict_proba(X), expected)


@pytest.mark.parametrize(
    "changes",
    [{"encoder_rate": 0.5}, {"augmentation": "light"}],
    ids=["a learning encoder", "augmentation"],
)
def test_nothing_is_kept_of(changes, weights, tmp_path, encoded):
    segmenter(weights, memory=tmp_path, **changes).fit(X, MASKS)
    assert sum(encoded) == 3 * 8
    assert not list(tmp_path.rglob("segclf_features"))


def test_other_weights_are_another_encoder(tmp_path, encoded):
    for seed in (0, 1):
        encoded.clear()
        inner = SimSiamPretrainer(encoder="tiny", max_epochs=1, random_state=seed).fit(X)
        encoded.clear()
        frozen = FrozenEstimator(inner)
        segmenter(None, pretrainer=frozen, memory=tmp_path).fit(X, MASKS)
        assert sum(encoded) == 8


def test_a_classifier_has_it_too(weights, tmp_path, encoded):
    for memory, n_images in ((None, 8), (tmp_path, 8), (tmp_path, 0)):
        encoded.clear()
        ImageClassifier(
            encoder="tiny",
            encoder_weights=weights,
            encoder_rate=0.0,
            max_epochs=2,
            memory=memory,
            augmentation="flips",
        ).fit(X, Y)
        assert sum(encoded) == n_images


def test_a_search(weights, tmp_path):
    grid = {"learning_rate": [1e-3, 1e-2], "encoder_rate": [0.0, 1.0]}
    scores = [
        GridSearchCV(segmenter(weights, memory=memory), grid, cv=2)
        .fit(X, MASKS)
        .cv_results_["mean_test_score"]
        for memory in (None, tmp_path)
    ]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-6)


def test_a_fit_that_fails_leaves_nothing_behind(weights, tmp_path):
    def fails(logits, mask, **weights):
        raise RuntimeError("halfway")

    made = segmenter(weights, memory=tmp_path, loss=fails)
    with pytest.raises(RuntimeError, match="halfway"):
        made.fit(X, MASKS)
    assert "forward" not in made.network_.encoder.__dict__


def test_what_memory_may_be(tmp_path):
    assert as_memory(None) is None
    for memory in (tmp_path, str(tmp_path), Memory(tmp_path, verbose=0)):
        assert as_memory(memory).folder.path == tmp_path / "segclf"
    assert as_memory(Memory(None)) is None
    with pytest.raises(ValueError, match="memory=3 has no folder"):
        as_memory(3)


def test_what_is_kept_is_no_code(tmp_path):
    """A pickle where a result should be is never opened as one."""
    ran = tmp_path / "ran"

    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(ran),))

    memory = as_memory(tmp_path)
    value = {"maps": [np.eye(3), np.float32(2)], "names": ("a", None)}
    for _ in range(2):
        found = memory.recall("ab" * 20, lambda: value)
    (path,) = (each for each in tmp_path.rglob("*") if each.is_file())
    np.testing.assert_array_equal(found["maps"][0], np.eye(3))
    assert found["names"] == ("a", None)
    for content in (pickle.dumps(Harm()), b"", path.read_bytes()[:-1]):
        path.write_bytes(content)
        assert memory.recall("ab" * 20, lambda: "made again") == "made again"
        assert memory.recall("ab" * 20, lambda: pytest.fail("kept again")) == "made again"
    assert not ran.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "segclf").write_text("a file where the folder should be")
    memory = as_memory(tmp_path)
    with pytest.warns(UserWarning, match="No more files are stored in .*segclf"):
        assert memory.recall("ab" * 20, lambda: 3) == 3
    assert memory.recall("cd" * 20, lambda: 4) == 4, "it warns once"


def test_a_result_that_no_file_holds(tmp_path):
    with pytest.warns(UserWarning, match="the result.value is code"):
        as_memory(tmp_path).recall("ab" * 20, lambda: lambda: 3)


@pytest.mark.parametrize("damage", ["pipe", "swap", "other", "form", "shape", "link"])
def test_a_poisoned_folder_costs_no_more_than_an_empty_one(damage, weights, tmp_path):
    """Nothing hangs, nothing is written outside, and the same is learned."""
    folder, outside = tmp_path / "memory", tmp_path / "outside"
    model = SegmentationClassifier(segmenter(weights, memory=folder, max_epochs=1), memory=folder)
    model.set_params(summarizer="threshold", random_state=0)
    expected = model.fit(X, Y, masks=MASKS).predict_proba(X)
    outside.write_text("not yours")
    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    for path, other in zip(files, contents[1:] + contents[:1], strict=True):
        content = path.read_bytes()
        path.unlink()
        if damage == "pipe":
            os.mkfifo(path)
        elif damage == "swap":
            path.write_bytes(other)
        elif damage == "other":
            save(SupervisedSegmenter(), path)
        elif damage == "form":
            path.write_bytes(content.replace(b"float32", b"Tensor "))
        elif damage == "shape":
            path.write_bytes(content if path == files[0] else contents[0])
        else:
            path.symlink_to(outside)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No more files are stored")
        again = model.fit(X, Y, masks=MASKS).predict_proba(X)
    np.testing.assert_array_equal(again, expected)
    assert outside.read_text() == "not yours"
