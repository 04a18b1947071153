import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from segclf.metrics import confidence_interval, group_by_area, mean_iou, subgroup_scores
from segclf.metrics.groupings import Grouping

FEW = {"n_resamples": 20, "random_state": 0}


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    y_true = random.integers(2, size=200)
    group = np.where(y_true == 1, random.integers(2, size=200), -1)
    y_score = y_true * (1 + group) + random.normal(size=200)
    return y_true, y_score, Grouping(group, ["small", "large"])


def test_negatives_belong_to_every_subgroup(case):
    y_true, y_score, grouping = case
    rows = subgroup_scores(roc_auc_score, *case, **FEW)
    for number, row in enumerate(rows):
        chosen = (grouping.group == number) | (y_true == 0)
        expected = confidence_interval(roc_auc_score, y_true[chosen], y_score[chosen], **FEW)
        assert row[3:] == expected
        assert row[1:3] == (np.sum(grouping.group == number), np.sum(y_true == 0))
    assert [row.name for row in rows] == ["small", "large"]
    assert rows[0].estimate < rows[1].estimate


def test_positives_of_unknown_size_are_in_none(case):
    y_true, y_score, grouping = case
    extended = Grouping(np.append(grouping.group, [-1, -1, 0]), grouping.names)
    longer = np.append(y_true, [1, -1, -1]), np.append(y_score, [-9, 9, -9])
    more = subgroup_scores(roc_auc_score, *longer, extended, **FEW)
    assert more == subgroup_scores(roc_auc_score, *case, **FEW)


def test_labels_of_users_group_negatives_too():
    y_true, y_pred = np.array([0, 1] * 20), np.array([0, 1] * 10 + [1, 1] * 10)
    hospital = np.repeat(["north", "east"], 20)
    rows = subgroup_scores(accuracy_score, y_true, y_pred, hospital, **FEW)
    assert [row[:4] for row in rows] == [("east", 20, 0, 0.5), ("north", 20, 0, 1.0)]
    numbers = np.where(hospital == "east", 3, 7)
    numbered = subgroup_scores(accuracy_score, y_true, y_pred, numbers, **FEW)
    assert [row[1:] for row in numbered] == [row[1:] for row in rows]


def test_masks_are_scored_by_size():
    masks = np.zeros((40, 4, 4), dtype=int)
    masks[:20, 0, 0] = masks[10:20] = 1
    predicted = masks.copy()
    predicted[:10] = 0
    grouping = group_by_area(masks, bins=[0.5])
    rows = subgroup_scores(mean_iou, masks, predicted, grouping, **FEW)
    assert [row[:4] for row in rows] == [("below 50%", 10, 20, 0.0), ("from 50%", 10, 20, 1.0)]


def test_patients_are_sampled_whole(case):
    copied = [np.repeat(values, 3) for values in case[:2]]
    grouping = Grouping(np.repeat(case[2].group, 3), case[2].names)
    patients = np.repeat(np.arange(200), 3)
    rows = subgroup_scores(roc_auc_score, *copied, grouping, groups=patients, **FEW)
    single = subgroup_scores(roc_auc_score, *case, **FEW)
    np.testing.assert_allclose([row[3:] for row in rows], [row[3:] for row in single])


def test_empty_subgroups_are_undefined(case):
    y_true, y_score, grouping = case
    empty = Grouping(grouping.group, [*grouping.names, "huge"])
    *rows, nothing = subgroup_scores(recall_score, y_true, (y_score > 0).astype(int), empty, **FEW)
    assert nothing[:3] == ("huge", 0, np.sum(y_true == 0))
    assert np.isnan(nothing[3:]).all()
    assert np.isfinite([row[3:] for row in rows]).all()


def test_without_negatives_auroc_is_undefined_but_no_error():
    with pytest.warns(UserWarning, match="20 of 20 resamples held one class only"):
        (row,) = subgroup_scores(roc_auc_score, [1, 1], [0.1, 0.2], ["a", "a"], **FEW)
    assert row[:3] == ("a", 2, 0)
    assert np.isnan(row[3:]).all()


def test_lengths_differ():
    with pytest.raises(ValueError, match=r"equal lengths, got \[2, 2, 3, 2\]"):
        subgroup_scores(accuracy_score, [0, 1], [0, 1], ["a", "b", "c"])
