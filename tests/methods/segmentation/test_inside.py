"""What the encoder says inside of predicted findings."""

import numpy as np
import pytest
from encoded import watch_encoder

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.methods.segmentation.inside import pooled_inside
from segclf.methods.segmentation.parts import rows_to_learn
from segclf.networks import TinyEncoder
from segclf.registry import make_plugin

SHAPES = make_shapes(16, image_size=32, n_objects=3, random_state=0)


def classifier(**changes):
    segmenter = SupervisedSegmenter(encoder="tiny", max_steps=4, random_state=0)
    return SegmentationClassifier(**{"segmenter": segmenter, "random_state": 0, **changes})


def test_it_is_the_mean_weighted_by_the_probability_of_any_finding():
    random = np.random.default_rng(0)
    findings = random.uniform(0.1, 1, (3, 2, 8, 12)).astype(np.float32)
    features = random.normal(size=(3, 5, 4, 6)).astype(np.float32)
    weights = findings.max(1).reshape(3, 4, 2, 6, 2).mean((2, 4))
    weights += 1e-4 * weights.max((1, 2), keepdims=True)
    expected = (features * weights[:, None]).sum((2, 3)) / weights.sum((1, 2))[:, None]
    np.testing.assert_allclose(pooled_inside(findings, features), expected, rtol=1e-4)


def test_what_lies_elsewhere_is_not_heard():
    findings = np.zeros((2, 1, 8, 8), np.float32)
    findings[:, 0, :2, :2] = 0.9
    features = np.ones((2, 1, 4, 4), np.float32)
    features[1, 0, 3, 3] = 100
    one, other = pooled_inside(findings, features)
    np.testing.assert_allclose(one, other, rtol=0.02)


def test_where_nothing_is_found_all_places_count_alike():
    features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    found = pooled_inside(np.zeros((1, 1, 8, 8), np.float32), features)
    np.testing.assert_allclose(found, [[7.5]])


def test_images_of_several_sizes():
    findings = [np.ones((1, 8, 8), np.float32), np.ones((1, 6, 10), np.float32)]
    features = [np.full((2, 4, 4), 3.0), np.full((2, 3, 5), 4.0)]
    np.testing.assert_allclose(pooled_inside(findings, features), [[3.0, 3.0], [4.0, 4.0]])


def test_the_default_hears_it_and_memory_finds_it(tmp_path):
    plain = classifier().fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    kept = classifier(memory=tmp_path).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    expected = plain.predict_proba(SHAPES.images)
    np.testing.assert_allclose(kept.predict_proba(SHAPES.images), expected, atol=1e-6)
    again = classifier(memory=tmp_path).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    np.testing.assert_allclose(again.predict_proba(SHAPES.images), expected, atol=1e-6)
    by_area = classifier(summarizer="threshold")
    by_area.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert not np.allclose(by_area.predict_proba(SHAPES.images), expected)


@pytest.mark.parametrize("changes", [{"cv": 2}, {"cv": 2, "ensemble": True}])
def test_folds(changes):
    fitted = classifier(**changes).fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert fitted.predict_proba(SHAPES.images).shape == (16, 2)


def test_images_of_several_sizes_through_the_classifier():
    X = [*SHAPES.images[:8], *(image[:24] for image in SHAPES.images[8:])]
    masks = [*SHAPES.masks[:8], *(mask[:24] for mask in SHAPES.masks[8:])]
    fitted = classifier().fit(X, SHAPES.target, masks=masks)
    together = fitted.predict_proba(X)
    alone = np.concatenate([fitted.predict_proba([x]) for x in X])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_of_many_images_it_learns_from_a_thousand():
    target = np.r_[np.zeros(3000, int), np.ones(2, int), np.full(10, -1)]
    rows = rows_to_learn(make_plugin("summarizer", "joint"), target)
    assert len(rows) == len(set(rows)) == 1000
    assert (target[rows] >= 0).all()
    assert {0, 1} == set(target[rows])
    assert len(rows_to_learn(make_plugin("summarizer", "pooled"), target)) == 3002


def test_an_image_is_encoded_once_for_its_mask_and_what_is_inside(monkeypatch):
    fitted = classifier().fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    expected = fitted.predict_proba(SHAPES.images)
    calls = []
    watch_encoder(monkeypatch, TinyEncoder, calls.append)
    np.testing.assert_array_equal(fitted.predict_proba(SHAPES.images), expected)
    once = len(calls)
    fitted.predict_mask_proba(SHAPES.images)
    assert len(calls) == 2 * once, "as many as for the masks alone"
