import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from segclf import DistilledSegmenter, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(5, image_size=32, n_objects=2, target_radius=4, random_state=0)


@pytest.fixture(scope="module")
def segmenter():
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, batch_size=4, random_state=0)
    return segmenter.fit(SHAPES.images, SHAPES.masks)


def embedded(segmenter, X, layer):
    batches = list(segmenter.embed_batches(X, layer))
    order = np.argsort(np.concatenate([indices for indices, _ in batches]))
    return np.concatenate([maps for _, maps in batches])[order]


def test_embeddings_are_what_the_layer_says(segmenter):
    image = torch.from_numpy(SHAPES.images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = segmenter.network_.features(image)[-1].numpy()
    maps = embedded(segmenter, SHAPES.images, "deep")
    assert maps.dtype == np.float32
    assert maps.shape == (5, 64, 4, 4)
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_maps_keep_their_own_size(segmenter):
    """Scores would be brought to the image's size."""
    assert embedded(segmenter, SHAPES.images, "encoder.stages.1").shape == (5, 32, 8, 8)
    assert embedded(segmenter, SHAPES.images, "shallow").shape == (5, 16, 32, 32)


def test_an_image_does_not_depend_on_its_company(segmenter):
    together = embedded(segmenter, SHAPES.images, "shallow")
    for index, expected in enumerate(together):
        alone = embedded(segmenter, SHAPES.images[index : index + 1], "shallow")
        np.testing.assert_allclose(alone[0], expected, rtol=0, atol=1e-7)


def test_images_of_several_sizes_have_maps_of_one_where_they_are_resized():
    images = [SHAPES.images[0], SHAPES.images[1, :20], SHAPES.images[2, :, :24]]
    masks = [SHAPES.masks[0], SHAPES.masks[1, :20], SHAPES.masks[2, :, :24]]
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, image_size=16, random_state=0)
    segmenter.fit(images, masks)
    assert embedded(segmenter, images, "deep").shape == (3, 64, 2, 2)


def test_errors(segmenter):
    with pytest.raises(ValueError, match="No layer named 'middle'"):
        next(segmenter.embed_batches(SHAPES.images, "middle"))
    with pytest.raises(NotFittedError):
        next(SupervisedSegmenter().embed_batches(SHAPES.images))


def test_meta_segmenters_forward(segmenter):
    distilled = DistilledSegmenter(
        teacher=SupervisedSegmenter(encoder="tiny", max_epochs=1),
        on="all",
        random_state=0,
    ).fit(SHAPES.images, SHAPES.masks)
    np.testing.assert_array_equal(
        embedded(distilled, SHAPES.images, "deep"),
        embedded(distilled.student_, SHAPES.images, "deep"),
    )


def test_scores_and_fits_take_weights_as_scikit_learn_passes_them(segmenter):
    weights = np.array([0, 2, 0, 2, 0])
    chosen = np.flatnonzero(weights)
    expected = segmenter.score(SHAPES.images[chosen], SHAPES.masks[chosen])
    assert segmenter.score(SHAPES.images, SHAPES.masks, weights) == pytest.approx(expected)
    distilled = DistilledSegmenter(teacher=FrozenEstimator(segmenter), student=clone(segmenter))
    by_position = distilled.fit(SHAPES.images, SHAPES.masks, weights).predict_proba(SHAPES.images)
    by_name = distilled.fit(SHAPES.images, SHAPES.masks, sample_weight=weights)
    np.testing.assert_array_equal(by_name.predict_proba(SHAPES.images), by_position)
    assert by_name.score(SHAPES.images, SHAPES.masks, weights) == pytest.approx(
        by_name.score(SHAPES.images[chosen], SHAPES.masks[chosen])
    )
