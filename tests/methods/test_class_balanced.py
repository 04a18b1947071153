import numpy as np
import pytest

from segclf import ImageClassifier, MultitaskClassifier
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy

SHAPES = make_shapes(40, image_size=32, n_objects=3, target_radius=8, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}


@pytest.mark.parametrize(
    ("kind", "loss"), [(ImageClassifier, "loss"), (MultitaskClassifier, "label_loss")]
)
def test_balanced_batches(kind, loss):
    rare = np.flatnonzero(SHAPES.target == 1)[:2]
    rows = np.concatenate([np.flatnonzero(SHAPES.target == 0)[:14], rare])
    seen = []

    def watched(logits, target, **options):
        seen.append(target.bincount(minlength=2).tolist())
        return cross_entropy(logits, target, **options)

    trained = {}
    for balanced in (False, True):
        fitted = kind(**TINY, class_balanced=balanced, batch_size=8, **{loss: watched})
        fitted.fit(SHAPES.images[rows], SHAPES.target[rows])
        trained[balanced] = fitted.predict_proba(SHAPES.images)[:, 1].mean()
    assert np.sum(seen[:2], axis=0).tolist() == np.sum(seen[2:4], axis=0).tolist() == [14, 2]
    assert seen[4:] == [[4, 4]] * 4
    assert trained[True] > trained[False] + 0.05
