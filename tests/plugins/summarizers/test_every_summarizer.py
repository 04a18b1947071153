"""What all of ours keep when they are copied, saved and used by name."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

import segclf
from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.registry import list_plugins, make_plugin

NAMES = [p.name for p in list_plugins("summarizer") if p.distribution == "segclf"]
HEAVY = {"resnet50"}  # tests/test_every_plugin.py trains it, and it has squeezenet's code
SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def quick(name):
    summarizer = make_plugin("summarizer", name)
    wanted = {"max_epochs": 1, "random_state": 0}
    return summarizer.set_params(
        **{k: v for k, v in wanted.items() if k in summarizer.get_params()}
    )


def test_all_are_found():
    assert {"embedding", "fully_connected", "mask_features", "pooled", "squeezenet"} <= {*NAMES}


@pytest.mark.parametrize("name", sorted({*NAMES} - HEAVY))
def test_copies_answer_alike(name, planted, tmp_path):
    P, y = planted(n=8)
    fitted = quick(name).fit(P, y)
    expected = fitted.predict_proba(P)
    segclf.save(fitted, tmp_path / "summarizer.safetensors")
    loaded = segclf.load(tmp_path / "summarizer.safetensors")
    for copy in (pickle.loads(pickle.dumps(fitted)), loaded, clone(fitted).fit(P, y)):
        np.testing.assert_array_equal(copy.predict_proba(P), expected)


@pytest.mark.parametrize("name", sorted({*NAMES} - HEAVY))
def test_summarizes_a_segmenter(name):
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(encoder="tiny", max_epochs=1),
        summarizer=quick(name),
        random_state=0,
    ).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    probabilities = classifier.predict_proba(SHAPES.images)
    assert probabilities.shape == (8, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
