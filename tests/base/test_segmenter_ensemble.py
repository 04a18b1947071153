import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from segclf import MaskScorer, SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.base import SegmenterEnsemble, supervise
from segclf.datasets import make_shapes
from segclf.metrics import mean_iou

SHAPES = make_shapes(20, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, MASKS = SHAPES.images, SHAPES.masks
SEGMENTER = SupervisedSegmenter(encoder="tiny", max_epochs=1, learning_rate=1e-2)


@pytest.fixture(scope="module")
def ensemble():
    return SegmenterEnsemble(SEGMENTER, cv=2, random_state=0).fit(X, MASKS)


def test_each_learns_without_a_fold(ensemble):
    seed = ensemble.segmenters_[0].random_state
    for segmenter, (rows, _) in zip(
        ensemble.segmenters_, supervise(X, masks=MASKS).folds(2), strict=True
    ):
        alone = clone(SEGMENTER).set_params(random_state=seed).fit(X[rows], MASKS[rows])
        np.testing.assert_array_equal(alone.predict_proba(X), segmenter.predict_proba(X))


def test_it_answers_by_the_mean(ensemble):
    members = [each.predict_proba(X) for each in ensemble.segmenters_]
    found = ensemble.predict_proba(X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(members, axis=0), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(ensemble.predict(X), found.argmax(axis=1))
    assert ensemble.score(X, MASKS) == mean_iou(MASKS, ensemble.predict(X), n_classes=2)
    assert MaskScorer()(ensemble, X, MASKS) == ensemble.score(X, MASKS)
    assert (ensemble.n_classes_, ensemble.multilabel_) == (2, False)
    assert ensemble.classes_.tolist() == [0, 1]


def test_an_image_does_not_depend_on_its_company(ensemble):
    together = ensemble.predict_proba(X)
    mixed = ensemble.predict_proba([X[3], X[4, :, :12], X[19]])
    np.testing.assert_allclose(mixed[0], together[3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(mixed[2], together[19], rtol=0, atol=1e-6)
    assert mixed[1].shape == (2, 16, 12)


def test_it_is_a_segmenter_for_a_classifier_and_is_saved(ensemble, tmp_path):
    classifier = SegmentationClassifier(
        segmenter=SegmenterEnsemble(SEGMENTER, cv=2), random_state=0
    ).fit(X, SHAPES.target, masks=MASKS)
    seeds = {each.random_state for each in classifier.segmenter_.segmenters_}
    assert len(seeds) == 1
    assert seeds != {None}
    save(ensemble, tmp_path / "ensemble")
    loaded = load(tmp_path / "ensemble")
    np.testing.assert_array_equal(loaded.predict_proba(X), ensemble.predict_proba(X))


def test_no_layers_and_no_answers_before_fit():
    assert not hasattr(SegmenterEnsemble(SEGMENTER), "embed_batches")
    with pytest.raises(NotFittedError):
        SegmenterEnsemble(SEGMENTER).predict(X)
