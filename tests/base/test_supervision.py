import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from segclf import SupervisedSegmenter
from segclf.base.supervision import Supervision, folds_of

LABELS = np.array([0, 1, 0, -1, 1, 0, 1, -1])
GROUPS = np.array([0, 0, 1, 1, 2, 2, 3, 4])
MASKS = np.arange(8)[:, None, None] * np.ones((1, 2, 2), dtype=int) % 3


def supervision(masks=MASKS, labels=LABELS):
    told = {"labels": labels, "sample_weight": np.arange(8.0)}
    return Supervision(X=np.arange(8), masks=masks, told=told)


def test_unlabeled_images_are_in_every_training_fold():
    folds = folds_of(3, LABELS, None)
    assert len(folds) == 3
    assert sorted(np.concatenate([test for _, test in folds])) == [0, 1, 2, 4, 5, 6]
    for training, test in folds:
        assert {3, 7} <= set(training)
        assert not set(training) & set(test)
        assert len(training) + len(test) == 8


def test_groups_stay_together():
    for training, test in folds_of(GroupKFold(3), LABELS, GROUPS):
        assert not set(GROUPS[training]) & set(GROUPS[test])


def test_indicators():
    labels = np.stack([LABELS, LABELS], axis=1)
    tested = np.concatenate([test for _, test in folds_of(KFold(3), labels, None)])
    assert sorted(tested) == [0, 1, 2, 4, 5, 6]


def test_folds_that_leave_images_out():
    with pytest.raises(ValueError, match=r"cv=ShuffleSplit.* of the 6 labeled .* each once"):
        folds_of(ShuffleSplit(2, random_state=0), LABELS, None)


def test_a_part_is_in_step():
    part = supervision().subset(np.array([5, 2]), "no segmenter of ours")
    assert part.X.tolist() == [5, 2]
    assert part.masks[:, 0, 0].tolist() == [2, 2]
    assert part.told["labels"].tolist() == [0, 0]
    assert part.told["sample_weight"].tolist() == [5, 2]


@pytest.mark.parametrize("masks", [MASKS, list(MASKS), [*MASKS[:7], None]])
def test_ours_remember_a_class_that_no_mask_shows(masks):
    part = supervision(masks).subset(np.array([0, 3, 6]), SupervisedSegmenter())
    assert part.masks.n_classes == 3
    assert [part.masks[i].max() for i in range(3)] == [0, 0, 0]


def test_a_class_that_only_labels_show():
    labels = np.where(LABELS == 1, 4, LABELS)
    part = supervision(labels=labels).subset(np.array([0, 3, 6]), SupervisedSegmenter())
    assert part.masks.n_classes == 5


def test_no_masks():
    assert supervision(None).subset(np.array([0, 1]), SupervisedSegmenter()).masks is None
