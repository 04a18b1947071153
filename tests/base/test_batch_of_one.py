"""Encoders with batch normalization train on batches of one image, or say what to change."""

import pytest

from segclf import ImageClassifier, MultitaskClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(3, image_size=32, n_objects=3, random_state=0)
X, Y, MASKS = SHAPES.images, [0, 1, 1], SHAPES.masks.copy()
MASKS[2] = MASKS[1]
REAL = {"encoder": "resnet18", "max_epochs": 1, "random_state": 0}


def segment(n_masks=3, **parameters):
    masks = [*MASKS[:n_masks], *[None] * (3 - n_masks)]
    return SupervisedSegmenter(**REAL, **parameters).fit(X, masks)


def classify(**parameters):
    return ImageClassifier(**REAL, **parameters).fit(X, Y)


def do_both(**parameters):
    return MultitaskClassifier(**REAL, **parameters).fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("fit", [segment, classify, do_both])
@pytest.mark.parametrize(
    ("batch_size", "remedy"),
    [(1, "batch_size=1; expected 2 or more"), (2, r"With 3 images.*set batch_size=3\.")],
)
def test_a_batch_of_one_says_what_to_change(fit, batch_size, remedy):
    with pytest.raises(ValueError, match=remedy + ".*image_size=64.*encoder_depth.*tiny"):
        fit(batch_size=batch_size)


def test_one_image_says_what_to_change():
    with pytest.raises(ValueError, match="one image to train on; give masks or labels of two"):
        segment(n_masks=1)
    with pytest.raises(ValueError, match="one image to train on"):
        classify(validation_fraction=0.5)


@pytest.mark.parametrize(
    "parameters", [{"image_size": 64}, {"encoder_depth": 4}, {"encoder": "tiny"}]
)
def test_each_remedy_works(parameters):
    SupervisedSegmenter(**{**REAL, "batch_size": 1, **parameters}).fit(X, MASKS)


def test_one_image_in_validation_is_no_trouble():
    classifier = ImageClassifier(**REAL, validation_fraction=0.25).fit([*X, X[0]], [*Y, 0])
    assert len(classifier.history_["validation_loss"]) == 1
