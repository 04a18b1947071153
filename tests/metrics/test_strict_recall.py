from itertools import product

import numpy as np
import pytest
from sklearn.metrics import recall_score

from segclf.metrics import mean_iou, strict_hits, strict_recall

PLACES = ["anywhere", "overlap", "centroid", 0.2]


def random_case(n_classes=3, n=20, seed=0):
    """Labels and masks that mostly agree."""
    random = np.random.default_rng(seed)
    y_true = random.integers(n_classes, size=n)
    y_pred = np.where(random.random(n) < 0.8, y_true, random.integers(n_classes, size=n))
    masks = np.zeros((2, n, 6, 7), dtype=int)
    for mask, label in zip(masks.reshape(-1, 6, 7), [*y_true, *y_pred], strict=True):
        top, left = random.integers(0, 4, 2)
        mask[top : top + 3, left : left + 3] = label
    return y_true, y_pred, *masks


def by_hand(y_true, y_pred, masks_true, masks_pred, place):
    """One image, one pixel at a time."""
    hits = []
    for t, p, true, pred in zip(y_true, y_pred, masks_true, masks_pred, strict=True):
        if t < 1 or not (true == t).any():
            hits.append(np.nan)
            continue
        pixels = list(product(range(true.shape[0]), range(true.shape[1])))
        here = [xy for xy in pixels if true[xy] == t]
        there = [xy for xy in pixels if pred[xy] == t and true[xy] >= 0]
        both = set(here) & set(there)
        if place == "centroid" and there:
            center = np.mean(there, axis=0)
            right = min(there, key=lambda xy: ((np.array(xy) - center) ** 2).sum()) in here
        elif isinstance(place, float):
            right = len(both) / len(set(here) | set(there)) >= place
        else:
            right = bool(both) or place == "anywhere"
        hits.append(float(t == p and right))
    return hits


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", range(3))
def test_hits_by_hand(place, seed):
    y_true, y_pred, masks_true, masks_pred = random_case(seed=seed)
    y_true[0], masks_true[1, :3] = -1, -1
    expected = by_hand(y_true, y_pred, masks_true, masks_pred, place)
    np.testing.assert_array_equal(
        strict_hits(y_true, y_pred, masks_true, masks_pred, place=place), expected
    )
    assert len(set(np.array(expected)[~np.isnan(expected)])) == 2


def test_anywhere_is_plain_recall():
    case = random_case(n_classes=2)
    assert strict_recall(*case, place="anywhere") == recall_score(*case[:2])


def test_places_are_ever_stricter():
    case = random_case(n_classes=2, n=60)
    recalls = [strict_recall(*case, place=place) for place in ("anywhere", "overlap", 0.2, 0.9)]
    assert recalls == sorted(recalls, reverse=True)
    assert len(set(recalls)) == 4


@pytest.mark.parametrize("place", PLACES)
def test_order_does_not_matter(place):
    case = random_case()
    order = np.random.default_rng(1).permutation(20)
    shuffled = [values[order] for values in case]
    assert strict_recall(*shuffled, place=place) == strict_recall(*case, place=place)


@pytest.mark.parametrize("place", [*PLACES, 1.0])
def test_a_perfect_crescent_is_in_its_place(place):
    mask = np.ones((1, 5, 5), dtype=int)
    mask[0, 1:4, 1:] = 0  # its centroid is in the gap
    assert strict_recall([1], [1], mask, mask, place=place) == 1


def test_an_iou_at_the_threshold_is_enough():
    true, pred = np.array([[[1, 1, 0]]]), np.array([[[0, 1, 1]]])
    assert mean_iou(true, pred) == 1 / 3
    assert strict_recall([1], [1], true, pred, place=1 / 3) == 1
    assert strict_recall([1], [1], true, pred, place=0.34) == 0


@pytest.mark.parametrize("place", PLACES)
def test_channels_equal_ids(place):
    y_true, y_pred, *masks = random_case()
    ids = np.arange(1, 3)
    channels = [(mask[:, None] == ids[:, None, None]).astype(int) for mask in masks]
    hits = strict_hits(y_true, y_pred, *masks, place=place)
    np.testing.assert_array_equal(strict_hits(y_true, y_pred, *channels, place=place), hits)
    indicators = [(labels[:, None] == ids).astype(int) for labels in (y_true, y_pred)]
    of_pairs = strict_hits(*indicators, *channels, place=place)
    assert of_pairs.shape == (20, 2)
    np.testing.assert_array_equal(of_pairs[indicators[0] == 1], hits[y_true > 0])
    assert np.isnan(of_pairs[indicators[0] == 0]).all()


@pytest.mark.parametrize("labels", [["healthy", "a tumor", "cyst"], [-1, 7, 4]])
def test_labels_that_are_not_mask_ids(labels):
    y_true, y_pred, *masks = random_case()
    named = [np.array(labels)[ids] for ids in (y_true, y_pred)]
    assert strict_recall(*named, *masks, labels=labels) == strict_recall(y_true, y_pred, *masks)


def test_nothing_to_score_is_nan():
    zeros = np.zeros((2, 3, 3), dtype=int)
    assert np.isnan(strict_recall([0, 0], [1, 1], zeros, zeros + 1))
    assert np.isnan(strict_recall([1, 1], [1, 1], zeros, zeros + 1))  # an empty mask, a positive
    assert np.isnan(strict_recall([1, -1], [1, 1], [None, zeros[0] + 1], [None, zeros[0] + 1]))
    assert np.isnan(strict_recall([2, 2], [2, 2], zeros + 1, zeros + 1))  # masks without id 2
    assert np.isnan(strict_recall([], [], zeros[:0], zeros[:0]))


def test_a_prediction_on_unlabeled_pixels_alone_is_nowhere():
    true, pred = np.array([[[1, 0, -1]]]), np.array([[[0, 0, 1]]])
    for place in ("overlap", "centroid", 0.1):
        assert strict_recall([1], [1], true, pred, place=place) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_pred": [1]}, r"labels of shape \(2,\) and \(1,\) and 2 masks"),
        ({"y_true": [0.5, 1]}, "Expected mask ids from 0, or -1; the label of sample 0"),
        ({"y_true": ["a", "b"]}, "give other labels in labels="),
        ({"y_true": [[0, 2]] * 2, "y_pred": [[0, 1]] * 2}, "Expected 0, 1 or -1; .* of sample 0"),
        ({"y_true": [[0, 1]] * 2, "y_pred": [[0, 1]] * 2}, "needs masks of 2 channels, got 1"),
        ({"labels": [0, 2]}, r"Expected labels \[0, 2\] or -1; the label of sample 1"),
        ({"place": "near"}, "place must be 'overlap'.* got 'near'"),
        ({"place": 0}, "got 0"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    masks = np.ones((2, 3, 3), dtype=int)
    given = {"y_true": [0, 1], "y_pred": [0, 1], "masks_true": masks, "masks_pred": masks}
    with pytest.raises(ValueError, match=message):
        strict_recall(**given | changed)
