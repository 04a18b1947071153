import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import PretrainedLabeler
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 1}
GRAYS = np.array([[[10, 12, 90]], [[10, 80, 90]]], dtype=np.uint8)


def test_masks_from_off_the_shelf():
    labeler = PretrainedLabeler(segmenter=lambda image: image[..., 0] // 40).fit(GRAYS)
    assert labeler.predict(GRAYS, labels=[-1, 0]).tolist() == [[[0, 0, 2]], [[0, 0, 0]]]
    sizes = [np.zeros((2, 3)), np.zeros((4, 5))]
    assert [mask.shape for mask in labeler.predict(sizes)] == [(2, 3), (4, 5)]


def test_a_fitted_estimator_from_off_the_shelf():
    segmenter = SupervisedSegmenter(**TINY, random_state=0).fit(SHAPES.images, SHAPES.masks)
    labeler = clone(PretrainedLabeler(segmenter=FrozenEstimator(segmenter))).fit(SHAPES.images)
    np.testing.assert_array_equal(labeler.predict(SHAPES.images), segmenter.predict(SHAPES.images))
    with pytest.raises(ValueError, match="not fitted"):
        PretrainedLabeler(segmenter=clone(segmenter)).fit(SHAPES.images)
