"""How many classes a segmenter has, and what it makes of others."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score

from segclf import DistilledSegmenter, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=16, n_objects=2, random_state=0)
X = SHAPES.images
MASKS = SHAPES.masks.astype(int)
MASKS[0, :4, :4] = 2  # one image alone shows it


def segmenter(**changes):
    settings = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    return SupervisedSegmenter(**{**settings, **changes})


def test_an_id_that_fit_never_saw_counts_as_missed():
    scores = cross_val_score(segmenter(), X, MASKS, cv=KFold(3))
    assert np.isfinite(scores).all()
    fitted = segmenter().fit(X[1:], MASKS[1:])
    assert fitted.n_classes_ == 2
    seen = fitted.score(X[:1], np.minimum(MASKS[:1], 1) * (MASKS[:1] < 2))
    assert 0 <= fitted.score(X[:1], MASKS[:1]) < max(seen, 1)


def test_a_number_of_classes_is_insisted_on():
    fitted = segmenter(n_classes=5).fit(X[:4], MASKS[:4])
    assert (fitted.n_classes_, fitted.classes_.tolist()) == (5, [0, 1, 2, 3, 4])
    assert fitted.predict_proba(X[:2]).shape == (2, 5, 16, 16)
    with pytest.raises(ValueError, match="n_classes=2, but masks and labels have 3 ids"):
        segmenter(n_classes=2).fit(X, MASKS)
    with pytest.raises(ValueError, match="n_classes=2, but masks and labels have 4 ids"):
        segmenter(n_classes=2).fit(X, [MASKS[1], *[None] * 11], labels=[3] + [0] * 11)
    with pytest.raises(ValueError, match="n_classes=3, but masks and labels have 2 channels"):
        segmenter(n_classes=3).fit(X, np.stack([MASKS > 0, MASKS > 1], axis=1))
    with pytest.raises(ValueError, match="only 0 and 255, but there are 3 ids"):
        segmenter(n_classes=3).fit(X[1:], 255 * MASKS[1:])


def test_masks_of_255_are_masks_of_1():
    given = 255 * MASKS[1:7].astype(np.uint8)
    fitted = segmenter().fit(X[1:7], given)
    expected = segmenter().fit(X[1:7], MASKS[1:7])
    np.testing.assert_array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    assert fitted.score(X[1:7], given) == expected.score(X[1:7], MASKS[1:7])


@pytest.mark.parametrize("kind", ["segmenter", "meta"])
def test_probabilities_out_of_fold(kind):
    estimator = segmenter(n_classes=3)
    if kind == "meta":
        estimator = DistilledSegmenter(estimator)
    folds = KFold(3)
    out = cross_val_predict(estimator, X, params={"y": MASKS}, cv=folds, method="predict_proba")
    assert out.shape == (12, 3, 16, 16)
    fitted = estimator.fit(X[4:], MASKS[4:])
    assert fitted.classes_.tolist() == [0, 1, 2]
    np.testing.assert_allclose(out[:4], fitted.predict_proba(X[:4]), atol=1e-6)


def test_probabilities_of_channels_out_of_fold():
    channels = np.stack([MASKS > 0, MASKS > 1], axis=1).astype(int)
    out = cross_val_predict(segmenter(), X, channels, cv=KFold(3), method="predict_proba")
    assert out.shape == (12, 2, 16, 16)


def test_one_channel_is_no_mask_of_ids():
    with pytest.raises(ValueError, match=r"expected an indicator.*masks\[:, 0\]"):
        segmenter().fit(X[1:], MASKS[1:, None], labels=np.zeros(11, dtype=int))
