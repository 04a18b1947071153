import numpy as np
import pytest

from segclf import ConsistencySegmenter, SupervisedSegmenter
from segclf.base import supervise
from segclf.base.automatic import usual_steps
from segclf.data import as_images
from segclf.methods.pseudo_label.equal_steps import fix_training

X = np.zeros((50, 400, 400), dtype=np.uint8)


def fixed(n_masks=1, side=40, labels=None, **settings):
    """Return the size and steps of a fit of 50 images, with findings of side x side pixels."""
    mask = np.zeros((400, 400), dtype=np.uint8)
    mask[:side, :side] = 1
    masks = [mask if i < n_masks else None for i in range(50)]
    estimator = SupervisedSegmenter(**settings)
    fix_training(estimator, supervise(X, images=as_images(X), masks=masks, labels=labels))
    return estimator.image_size, estimator.max_steps


@pytest.mark.parametrize("n_masks", [1, 50])
@pytest.mark.parametrize("labels", [None, np.arange(50) % 2])
def test_steps_are_those_of_all_images_whoever_teaches(n_masks, labels):
    assert fixed(n_masks, labels=labels) == ((192, 192), usual_steps(50, 192))


def test_findings_of_the_given_masks_set_the_size():
    assert fixed(side=8)[0] == (256, 256)
    assert fixed(side=8)[1] == usual_steps(50, 256)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"max_epochs": 3}, 3 * 7),
        ({"max_epochs": 3, "batch_size": 25}, 3 * 2),
        ({"max_steps": 11}, 11),
        ({"max_steps": None}, 50 * 7),
    ],
)
def test_given_steps_and_epochs_stay(settings, steps):
    assert fixed(**settings)[1] == steps


def test_a_given_size_stays():
    assert fixed(image_size=(64, 64))[0] == (64, 64)
    assert fixed(image_size=None)[0] is None


def test_a_method_with_its_own_steps_is_left_alone():
    estimator = ConsistencySegmenter(max_epochs=3)
    before = estimator.get_params()
    fix_training(estimator, supervise(X, images=as_images(X)))
    assert estimator.get_params() == before
