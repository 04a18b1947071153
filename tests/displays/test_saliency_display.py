import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.displays import SaliencyDisplay
from segclf.networks import grad_cam, input_gradient

SHAPES = make_shapes(8, image_size=32, n_objects=3, random_state=0)
SMALL = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def classifier():
    settings = {"precision": "fp32", "learning_rate": 1e-2}
    return ImageClassifier(**SMALL, **settings).fit(SHAPES.images, SHAPES.target)


def test_maps_are_of_the_predicted_class(classifier):
    import torch

    X = SHAPES.images[:3]
    display = SaliencyDisplay.from_estimator(classifier, X, SHAPES.target[:3])
    said = classifier.predict_proba(X).argmax(axis=1)
    batch = torch.from_numpy(X / np.float32(255)).movedim(-1, 1)
    for function, maps in ((input_gradient, display.gradients), (grad_cam, display.cams)):
        expected = function(classifier.network_, batch)
        for i in range(3):
            assert maps[i].shape == (32, 32)
            size = expected.shape[2:]
            if size == (32, 32):
                np.testing.assert_allclose(maps[i], expected[i, said[i]], rtol=1e-3, atol=1e-6)
    assert np.ptp(display.gradients[0]) > 0
    display.figure_.canvas.draw()


def test_true_masks_are_outlined_on_every_picture_and_another_model_goes_beside(classifier):
    segmenting = SegmentationClassifier(segmenter=SupervisedSegmenter(**SMALL))
    segmenting.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    positive = np.flatnonzero(SHAPES.target == 1)[:2]
    display = SaliencyDisplay.from_estimator(
        classifier, SHAPES.images[positive], masks=SHAPES.masks[positive], beside=segmenting
    )
    assert display.axes_.shape == (2, 4)
    for ax in display.axes_.ravel():
        assert len([c for c in ax.collections if type(c).__name__ == "QuadContourSet"]) == 2
    assert [ax.get_title() for ax in display.axes_[0, 1:3]] == ["input gradient", "Grad-CAM"]


def test_says_what_has_no_saliency():
    estimator = DummyClassifier().fit([[0], [1]], [0, 1])
    with pytest.raises(ValueError, match=r"such as ImageClassifier; got DummyClassifier\(\)"):
        SaliencyDisplay.from_estimator(estimator, SHAPES.images)
