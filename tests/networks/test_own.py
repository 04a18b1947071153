import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch import nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.datasets import make_shapes
from segclf.networks import own_network

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"max_epochs": 1, "random_state": 0}


def pixels(in_channels, n_classes, width=8):
    """Its scores are of half the size."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, n_classes, 1),
    )


class Labels(nn.Module):
    def __init__(self, in_channels, n_classes):
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, 4, 3)
        self.head = nn.Linear(4, n_classes)

    def forward(self, image):
        return self.head(self.convolution(image).relu().mean((2, 3)))


def test_a_segmenter_of_an_own_network():
    segmenter = SupervisedSegmenter(architecture=pixels, **TINY)
    proba = segmenter.fit(SHAPES.images, SHAPES.masks).predict_proba(SHAPES.images)
    assert proba.shape == (8, 2, 16, 16)
    again = clone(segmenter).fit(SHAPES.images, SHAPES.masks)
    np.testing.assert_array_equal(again.predict_proba(SHAPES.images), proba)
    maps = next(segmenter.embed_batches(SHAPES.images, layer="encoder.2"))[1]
    assert maps.shape == (8, 8, 8, 8)
    classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    classifier.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks).predict(SHAPES.images)
    pupil = DistilledSegmenter(teacher=FrozenEstimator(segmenter), on="all")
    assert pupil.fit(SHAPES.images).predict(SHAPES.images).shape == (8, 16, 16)


def test_images_are_normalized_for_it():
    seen = []

    def make(in_channels, n_classes):
        network = pixels(in_channels, n_classes)
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
        return network

    SupervisedSegmenter(architecture=make, batch_size=8, **TINY).fit(SHAPES.images, SHAPES.masks)
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)


def test_a_classifier_of_an_own_network_and_labels_of_several_kinds():
    for y in (SHAPES.target, np.stack([SHAPES.target, 1 - SHAPES.target], axis=1)):
        fitted = ImageClassifier(encoder=Labels, **TINY).fit(SHAPES.images, y)
        assert fitted.predict_proba(SHAPES.images).shape == (8, 2)


def test_torchvisions_networks_answer_by_out():
    def make(in_channels, n_classes):
        return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=n_classes)

    fitted = SupervisedSegmenter(architecture=make, **TINY).fit(SHAPES.images, SHAPES.masks)
    assert fitted.predict(SHAPES.images).shape == (8, 16, 16)


def test_a_search_over_networks():
    grid = {"architecture": ["unet", pixels, functools.partial(pixels, width=4)]}
    search = GridSearchCV(SupervisedSegmenter(encoder="tiny", **TINY), grid, cv=2)
    assert search.fit(SHAPES.images, SHAPES.masks).predict(SHAPES.images).shape == (8, 16, 16)


@pytest.mark.parametrize("change", [lambda network: network, torch.compile])
def test_pickles_and_files_hold_the_name_of_the_function(change, tmp_path):
    fitted = SupervisedSegmenter(architecture=pixels, loss=nn.functional.cross_entropy, **TINY)
    fitted.fit(SHAPES.images, SHAPES.masks)
    expected = fitted.predict_proba(SHAPES.images)
    fitted.network_ = change(fitted.network_)
    by_pickle = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(by_pickle.predict_proba(SHAPES.images), expected)
    save(fitted, tmp_path / "saved")
    trusted = [pixels, nn.functional.cross_entropy]
    loaded = load(tmp_path / "saved", trusted=trusted)
    np.testing.assert_array_equal(loaded.predict_proba(SHAPES.images), expected)
    assert loaded.architecture is pixels
    with pytest.raises(ValueError, match=r"test_own:pixels'.*trusted=\[pixels\]"):
        load(tmp_path / "saved", trusted=trusted[1:])
    with pytest.raises(ValueError, match="made by a custom function"):
        SupervisedSegmenter(encoder="tiny", pretrainer=tmp_path / "saved", **TINY).fit(
            SHAPES.images, SHAPES.masks
        )


def normed(in_channels, n_classes):
    network = pixels(in_channels, n_classes)
    network[0] = torch.compile(nn.utils.parametrizations.weight_norm(network[0]), backend="eager")
    return network


def test_a_network_that_is_made_normed_and_compiled_comes_back(tmp_path):
    fitted = SupervisedSegmenter(architecture=normed, **TINY).fit(SHAPES.images, SHAPES.masks)
    save(fitted, tmp_path / "saved")
    loaded = load(tmp_path / "saved", trusted=[normed])
    np.testing.assert_array_equal(
        loaded.predict_proba(SHAPES.images), fitted.predict_proba(SHAPES.images)
    )


def test_a_lambda_is_refused_when_saving(tmp_path):
    fitted = SupervisedSegmenter(architecture=lambda c, k: pixels(c, k), **TINY)
    fitted.fit(SHAPES.images, SHAPES.masks)
    with pytest.raises(TypeError, match=r"architecture is code .*lambda"):
        save(fitted, tmp_path / "saved")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"architecture": pixels(3, 2)}, TypeError, "already made; pass its class, or a function"),
        (
            {"architecture": lambda c, k: None},
            TypeError,
            "returned a NoneType; expected an nn.Module",
        ),
        (
            {"architecture": Labels},
            ValueError,
            r"Labels makes returns \(8, 2\) .*n_classes, h, w\)",
        ),
        ({"architecture": lambda c, k: pixels(c, 5)}, ValueError, r"returns \(8, 5, 8, 8\)"),
        ({"encoder_depth": 3}, ValueError, r"encoder_depth=3 is an option of networks with a name"),
        ({"pretrainer": "weights.pt"}, ValueError, r"pretrainer='weights.pt' is an option"),
        ({"encoder_rate": 0.1}, ValueError, r"encoder_rate=0.1: .*Set requires_grad"),
    ],
)
def test_what_goes_wrong_says_so(changes, error, message):
    segmenter = SupervisedSegmenter(**{"architecture": pixels, **TINY, **changes})
    with pytest.raises(error, match=message):
        segmenter.fit(SHAPES.images, SHAPES.masks)


def test_nobody_knows_its_embedding():
    network = own_network(make=Labels, in_channels=3, n_classes=2, dense=False)
    with pytest.raises(TypeError, match="pass a layer by name"):
        network.embed(torch.zeros(1, 3, 8, 8))
