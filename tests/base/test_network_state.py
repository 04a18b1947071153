"""What networks know of their images, and what estimators tell of pretrained weights."""

import hashlib

import numpy as np
import pytest
import timm
import torch
from sklearn.frozen import FrozenEstimator

from segclf import ImageClassifier, SimSiamPretrainer, SupervisedSegmenter, load, save
from segclf.datasets import make_shapes
from segclf.networks.weight_sources import FOLDER_VARIABLE

SHAPES = make_shapes(6, image_size=32, n_objects=2, target_radius=4, random_state=0)
VIT = {"encoder": "test_vit", "max_epochs": 1, "random_state": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of weights of a transformer that was trained with mean and deviation of .5."""
    torch.manual_seed(1)
    folder = tmp_path / "private" / "weights"
    folder.mkdir(parents=True)
    torch.save(timm.create_model("test_vit").state_dict(), folder / "test_vit.pth")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def fitted(images, **parameters):
    return ImageClassifier(**{**VIT, **parameters}).fit(images, SHAPES.target)


@pytest.mark.parametrize("images", [SHAPES.images, SHAPES.images / np.float32(255)])
def test_pictures_are_normalized_as_the_weights_know_them(folder, images):
    network = fitted(images, encoder_weights="imagenet").network_
    assert network.mean.tolist() == network.std.tolist() == [0.5] * 3


@pytest.mark.parametrize(
    "images",
    [
        SHAPES.images[..., :1],
        SHAPES.images.astype(np.float32),
        SHAPES.images.astype(np.uint16) * 16,
        np.concatenate([SHAPES.images, SHAPES.images[..., :1]], axis=3),
    ],
    ids=["gray", "0 to 255", "12 bits", "four channels"],
)
def test_other_images_are_normalized_by_what_fit_saw(folder, images):
    network = fitted(images, encoder_weights="imagenet").network_
    scale = 65535 if images.dtype == np.uint16 else 255 if images.dtype == np.uint8 else 1
    np.testing.assert_allclose(network.mean, images.mean((0, 1, 2)) / scale, rtol=1e-5)
    np.testing.assert_allclose(network.std, images.std((0, 1, 2)) / scale, rtol=1e-4)


def test_files_are_normalized_by_what_fit_saw(folder):
    network = fitted(SHAPES.images, encoder_weights=folder / "test_vit.pth").network_
    np.testing.assert_allclose(network.mean, SHAPES.images.mean((0, 1, 2)) / 255, rtol=1e-5)


def test_a_saved_model_needs_its_weights_no_more(folder, tmp_path):
    classifier = fitted(SHAPES.images, encoder_weights="imagenet")
    file = folder / "test_vit.pth"
    assert classifier.weights_ == {
        "name": "imagenet",
        "source": FOLDER_VARIABLE,
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "licence": "apache-2.0",
    }
    save(classifier, tmp_path / "saved")
    file.unlink()
    loaded = load(tmp_path / "saved")
    assert loaded.weights_ == classifier.weights_
    expected = classifier.predict_proba(SHAPES.images)
    np.testing.assert_array_equal(loaded.predict_proba(SHAPES.images), expected)
    assert b"private" not in (tmp_path / "saved").read_bytes()


def test_weights_are_those_of_the_last_fit_only(folder):
    classifier = fitted(SHAPES.images, encoder_weights="imagenet")
    classifier.set_params(encoder_weights=None).fit(SHAPES.images, SHAPES.target)
    assert not hasattr(classifier, "weights_")


def test_whoever_starts_from_a_pretrainer_tells_of_its_weights(folder, tmp_path):
    pretrainer = SimSiamPretrainer(
        encoder="test_vit", encoder_weights="imagenet", max_epochs=1, projection_size=8
    )
    trained = pretrainer.set_params(random_state=0).fit(SHAPES.images)
    save(trained, tmp_path / "saved")
    for start in (pretrainer, FrozenEstimator(trained), tmp_path / "saved"):
        assert fitted(SHAPES.images, pretrainer=start).weights_ == trained.weights_


def test_segmenters_too(folder, tmp_path):
    segmenter = SupervisedSegmenter(**{**VIT, "architecture": "vit_unet"})
    segmenter.set_params(encoder_weights="imagenet").fit(SHAPES.images, SHAPES.masks)
    assert segmenter.weights_["file"] == "test_vit.pth"
    assert segmenter.network_.mean.tolist() == [0.5] * 3
