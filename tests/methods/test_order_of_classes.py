"""What classes are called, and so which is sorted first, decides nothing."""

from itertools import permutations

import numpy as np
import pytest
from torch import nn

from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.base.negative_class import class_ids
from segclf.datasets import make_shapes

SHAPES = make_shapes(18, image_size=16, n_objects=2, target_radius=4, random_state=0)
X = SHAPES.images
KINDS = SHAPES.target * (1 + np.arange(18) % 2)  # 0: nothing there
SHOWN = SHAPES.masks.astype(int) * KINDS[:, None, None]
ORDERS = [np.array(order) for order in permutations("abc")][1:]
LOSSES = ["cross_entropy", "dice", "dice_cross_entropy", "focal", "focal_tversky", "tversky"]
# Adam would divide rounding by rounding.
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "max_epochs": 3, "batch_size": 6}
SETTINGS = {**SGD, "random_state": 0}


def last_layer_of_zeros(network):
    """Let a network start where its classes are alike."""
    for parameter in network[-1].parameters():
        nn.init.zeros_(parameter)
    return network


def whole(in_channels, n_classes):
    layers = nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * in_channels, 16), nn.ReLU()
    return last_layer_of_zeros(nn.Sequential(*layers, nn.Linear(16, n_classes)))


def dense(in_channels, n_classes):
    layers = nn.Conv2d(in_channels, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, n_classes, 1)
    return last_layer_of_zeros(nn.Sequential(*layers))


class FromZeros(MultitaskClassifier):
    """Whose heads start from zeros."""

    def _make_objective(self, samples):
        objective = super()._make_objective(samples)
        network = objective.network
        last_layer_of_zeros([network.label_head])
        last_layer_of_zeros([m for m in network.segmentation.head if isinstance(m, nn.Conv2d)])
        return objective


def answers(make, names, *, with_masks):
    """Return probabilities of the kinds 0, 1 and 2, and how far they are from equal ones."""
    names = np.asarray(names)
    fit_params = {}
    if with_masks:
        ids = class_ids(np.sort(names), names[0])[np.argsort(np.argsort(names))]
        fit_params["masks"] = ids[SHOWN]
    fitted = make(names[0]).fit(X, names[KINDS], **fit_params)
    return fitted.predict_proba(X)[:, np.argsort(np.argsort(names))]


def assert_order_plays_no_part(make, *, with_masks=False, rtol=1e-4):
    expected = answers(make, list("abc"), with_masks=with_masks)
    assert np.ptp(expected, axis=0).max() > 1e-3  # it has learned something
    for names in ORDERS:
        found = answers(make, names, with_masks=with_masks)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-6, err_msg=str(names))


@pytest.mark.parametrize("loss", LOSSES)
def test_of_image_classifiers(loss):
    assert_order_plays_no_part(lambda _: ImageClassifier(encoder=whole, loss=loss, **SETTINGS))


@pytest.mark.parametrize("option", ["class_weight", "class_balanced"])
def test_with_options_of_training(option):
    value = {"class_weight": "balanced", "class_balanced": True}[option]
    options = {option: value, "validation_fraction": 0.3, "monitor": "auroc"}
    assert_order_plays_no_part(lambda _: ImageClassifier(encoder=whole, **options, **SETTINGS))


@pytest.mark.parametrize("loss", LOSSES)
def test_of_multitask_classifiers(loss):
    def make(negative):
        return FromZeros(
            encoder="tiny", label_loss=loss, mask_loss=loss, negative_class=negative, **SETTINGS
        )

    assert_order_plays_no_part(make, with_masks=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_of_segmenters(loss):
    def make(negative):
        segmenter = SupervisedSegmenter(architecture=dense, loss=loss, **SETTINGS)
        return SegmentationClassifier(
            segmenter=segmenter, summarizer="pooled", negative_class=negative
        )

    assert_order_plays_no_part(make, with_masks=True)


def test_of_the_default_summarizer():
    def make(negative):
        segmenter = SupervisedSegmenter(architecture=dense, **SETTINGS)
        return SegmentationClassifier(segmenter=segmenter, negative_class=negative)

    assert_order_plays_no_part(make, with_masks=True)
