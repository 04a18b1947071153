import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from segclf import (
    DINOPretrainer,
    DistilledSegmenter,
    ImageClassifier,
    MultitaskClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.base.embedding import embed
from segclf.datasets import make_shapes

SHAPES = make_shapes(6, image_size=32, n_objects=3, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
TINY = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}


def deepest(segmenter):
    """The mean over the encoder's last map, by another way."""
    maps = [m for _, batch in segmenter.embed_batches(X) for m in batch]
    return np.stack(maps).mean((2, 3))


def test_a_segmenter_is_embedded_by_its_encoder_s_last_map():
    segmenter = SupervisedSegmenter(**TINY).fit(X, MASKS)
    np.testing.assert_allclose(embed(segmenter, X), deepest(segmenter), atol=1e-6)


def test_what_wraps_a_segmenter_is_embedded_as_that_one():
    segmenter = SupervisedSegmenter(**TINY)
    classifier = SegmentationClassifier(segmenter=segmenter).fit(X, Y, masks=MASKS)
    np.testing.assert_array_equal(embed(classifier, X), embed(classifier.segmenter_, X))
    distilled = DistilledSegmenter(segmenter).fit(X, MASKS)
    np.testing.assert_array_equal(embed(distilled, X), embed(distilled.student_, X))


@pytest.mark.parametrize("kind", [ImageClassifier, MultitaskClassifier])
def test_a_classifier_of_one_network(kind):
    assert embed(kind(**TINY).fit(X, Y), X).shape == (6, 64)


def test_transformers_transform():
    pretrainer = DINOPretrainer(**TINY, batch_size=6).fit(X)
    np.testing.assert_array_equal(embed(pretrainer, X), pretrainer.transform(X))
    rows = X.reshape(6, -1).astype(float)
    scaler = StandardScaler().fit(rows)
    np.testing.assert_array_equal(embed(scaler, rows), scaler.transform(rows))


def test_what_embeds_nothing_is_refused():
    rows = X.reshape(6, -1)
    with pytest.raises(TypeError, match=r"KNeighborsClassifier\(\) cannot embed images; expected"):
        embed(KNeighborsClassifier().fit(rows, Y), rows)
