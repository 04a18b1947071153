import warnings

import numpy as np
import pytest
import torch

from segclf import (
    DistilledSegmenter,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.base import NothingFoundWarning, supervise
from segclf.base.nothing_found import warn_if_nothing_found, warn_once
from segclf.data import as_images
from segclf.datasets import make_shapes
from segclf.testing import segmenter_checks

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def segmenter(score=-9.0, **changes):
    """Its classes other than the background have that score, whatever it is shown and taught."""

    def make(in_channels, n_classes):
        network = torch.nn.Conv2d(in_channels, n_classes, 1)
        torch.nn.init.zeros_(network.weight)
        torch.nn.init.constant_(network.bias, score)
        if n_classes > 1:
            network.bias.data[0] = 0
        return network

    settings = {"max_epochs": 1, "learning_rate": 1e-9, "random_state": 0, "architecture": make}
    return SupervisedSegmenter(**{**settings, **changes})


def caught(fit, *args, **options):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit(*args, **options)
    return [each for each in found if each.category is NothingFoundWarning]


@pytest.mark.parametrize(
    "masks",
    [SHAPES.masks, 2 * SHAPES.masks, SHAPES.masks[:, None]],
    ids=["ids", "three classes", "multi-label"],
)
def test_it_says_what_happened_and_what_to_try(masks):
    (warned,) = caught(segmenter().fit, SHAPES.images, masks)
    assert "nothing in any of its 8 training images" in str(warned.message)
    assert "max_epochs" in str(warned.message)
    assert "learning_rate" in str(warned.message)
    assert caught(segmenter(score=9.0).fit, SHAPES.images, masks) == []


def test_where_there_is_nothing_to_find_nothing_is_said():
    empty = np.zeros_like(SHAPES.masks)
    assert caught(segmenter(n_classes=2).fit, SHAPES.images, empty) == []


def test_labels_say_that_there_is_something():
    labels = (SHAPES.target > 0).astype(int)
    assert labels.any()
    assert len(caught(segmenter().fit, SHAPES.images, labels=labels)) == 1


def test_one_image_with_a_finding_is_enough():
    """The last one alone, whose pixels are bright enough."""
    images = np.zeros((9, 16, 16, 1), dtype=np.uint8)
    images[-1, 3:6, 3:6] = 255

    def make(in_channels, n_classes):
        network = torch.nn.Conv2d(in_channels, n_classes, 1)
        with torch.no_grad():
            network.weight.copy_(torch.tensor([0.0, 1.0])[:, None, None, None])
            network.bias.copy_(torch.tensor([0.0, -1.0]))
        return network

    masks = (images[..., 0] > 0).astype(int)
    assert caught(segmenter(architecture=make).fit, images, masks) == []
    images[-1] = 0
    assert len(caught(segmenter(architecture=make).fit, images, masks)) == 1


@pytest.mark.parametrize("score", [-9.0, 9.0])
def test_a_fit_of_many_parts_warns_once(score):
    classifier = SegmentationClassifier(segmenter=segmenter(score), cv=3, random_state=0)
    rounds = PseudoLabelSemiSupervised(segmenter(score), max_iter=2, random_state=0)
    distilled = DistilledSegmenter(teacher=segmenter(score), random_state=0)
    some = [*SHAPES.masks[:4], None, None, None, None]
    warned = caught(classifier.fit, SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert len(warned) == (score < 0)
    assert len(caught(rounds.fit, SHAPES.images, some)) == (score < 0)
    assert len(caught(distilled.fit, SHAPES.images, some)) == (score < 0)
    # What was told in one fit is told in the next one again.
    warned = caught(classifier.fit, SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert len(warned) == (score < 0)


def test_what_is_not_finite_is_left_to_whoever_predicts():
    """It would be told of by its place in our order."""

    def outputs():
        raise FloatingPointError
        yield

    samples = supervise(SHAPES.images, images=as_images(SHAPES.images), masks=SHAPES.masks).samples(
        None
    )
    assert caught(warn_if_nothing_found, outputs(), np.argmax, samples, 2) == []


def test_checks_for_authors_leave_it_out():
    check = {each.__name__: each for each in segmenter_checks()}["check_subset_invariance"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", NothingFoundWarning)
        check(segmenter())


def test_once_it_is_said_nothing_more_is_predicted():
    def outputs():
        raise AssertionError("somebody asked")
        yield

    with warnings.catch_warnings(), warn_once():
        warnings.simplefilter("ignore", NothingFoundWarning)
        segmenter().fit(SHAPES.images, SHAPES.masks)
        warn_if_nothing_found(outputs(), None, None, 2)
