from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from segclf import SupervisedSegmenter
from segclf.base import supervise
from segclf.data import Masks, as_images

X = np.arange(8)[:, None, None] * np.ones((1, 2, 2))
LABELS = np.array([0, 1, 0, -1, 1, 0, 1, -1])
GROUPS = np.array([0, 0, 1, 1, 2, 2, 3, 4])
MASKS = np.arange(8)[:, None, None] * np.ones((1, 2, 2), dtype=int) % 3


def people(masks=MASKS, labels=LABELS, **more):
    return supervise(X, images=as_images(X), masks=masks, labels=labels, **more)


class Segments(BaseEstimator):
    """Keeps what it is fitted with."""

    def fit(self, X, y=None, labels=None, sample_weight=None):
        self.given = X, y, {"labels": labels, "sample_weight": sample_weight}
        return self


class Classifies(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, masks=None, groups=None):
        self.given = X, y, {"masks": masks, "groups": groups}
        return self


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        people().labels = None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"masks": MASKS[:7]}, "7 masks for 8 images"),
        ({"masks": MASKS[:, :1]}, "Mask 0 has 1 x 2 pixels, its image 2 x 2"),
        ({"labels": LABELS[:7]}, "inconsistent numbers of samples"),
        ({"groups": GROUPS[:7]}, "inconsistent numbers of samples"),
        ({"sample_weight": -np.ones(8)}, "must not be negative"),
        ({"labels": np.zeros((8, 2), int)}, "do not match masks that are exclusive ids"),
        ({"masks": MASKS[:, None] > 0}, "do not match masks that are multi-label"),
    ],
)
def test_everything_is_checked_once_when_it_is_made(wrong, message):
    with pytest.raises(ValueError, match=message):
        people(**wrong)


def test_a_part_is_in_step():
    whole = people(sample_weight=np.arange(8.0), groups=GROUPS, y=list("abcdefgh"), target=LABELS)
    part = whole.subset(np.array([5, 2]))
    assert len(part) == 2
    np.testing.assert_array_equal(part.X, X[[5, 2]])
    np.testing.assert_array_equal(part.images[0][..., 0], X[5])
    assert [part.masks[i].max() for i in range(2)] == [2, 2]
    assert part.labels.tolist() == part.target.tolist() == [0, 0]
    assert part.sample_weight.tolist() == [1.25, 0.5], "their mean is 1 in the whole"
    assert part.groups.tolist() == [2, 1]
    assert part.y == ["f", "c"]


@pytest.mark.parametrize("masks", [MASKS, list(MASKS), [*MASKS[:7], None], [*[None] * 7, MASKS[2]]])
def test_a_part_remembers_classes_that_no_mask_of_it_shows(masks):
    part = people(masks).subset(np.array([0, 3, 6]))
    assert part.masks.n_classes == 3
    assert all(mask is None or mask.max() == 0 for mask in (part.masks[i] for i in range(3)))
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    assert part.fit(segmenter).n_classes_ == 3


def test_a_part_remembers_classes_that_only_labels_show():
    labels = np.where(LABELS == 1, 4, LABELS)
    assert people(labels=labels).subset(np.array([0, 3, 6])).masks.n_classes == 5


def test_a_part_of_channels_without_a_mask_is_multilabel():
    channels = [np.zeros((3, 2, 2), int), *[None] * 7]
    part = people(channels, labels=None).subset(np.array([1, 2]))
    assert (part.masks.multilabel, part.masks.n_classes) == (True, 3)
    assert part.shapes == [(3, 2, 2)] * 2
    assert part.n_ids == 2


def test_hidden_images_stay_in_their_places():
    whole = people()
    seen = whole.hide([1, 2])
    assert seen.masks.labeled.tolist() == [True, False, False, *[True] * 5]
    assert seen.labels.tolist() == [0, -1, -1, -1, 1, 0, 1, -1]
    assert [mask is None for mask in seen.masks.as_given()] == (~seen.masks.labeled).tolist()
    assert seen.masks.n_classes == 3
    assert whole.masks.labeled.all()
    assert whole.labels.tolist() == LABELS.tolist()


def test_other_masks():
    masks = [MASKS[0], *[None] * 7]
    other = people().with_masks(masks, labeled=np.arange(8) < 2)
    assert other.masks.labeled.tolist() == [True] + [False] * 7
    assert other.masks.n_classes == 3
    assert other.labels.tolist() == [0, 1, *[-1] * 6]


def test_masks_that_are_missing_are_filled():
    filled = people(list(MASKS)).fill([MASKS[1].astype(np.int8), *[None] * 7])
    assert filled.dtype == np.int8
    assert filled[:2].tolist() == [[[1, 1]] * 2, [[-1, -1]] * 2]


def test_a_segmenter_is_handed_what_its_fit_takes():
    fitted = people(sample_weight=np.arange(8), groups=GROUPS).fit(Segments(), sampler="no")
    assert fitted.given[0] is X
    assert fitted.given[1] is MASKS, "others get masks as they were passed"
    assert fitted.given[2]["labels"].tolist() == LABELS.tolist()
    assert fitted.given[2]["sample_weight"].tolist() == (np.arange(8) / 4).tolist()


def test_ours_are_handed_masks_that_are_checked():
    (_, masks), metadata = people(groups=GROUPS).arguments(SupervisedSegmenter())
    assert isinstance(masks, Masks)
    assert sorted(metadata) == ["groups", "labels"]


def test_a_classifier_is_handed_classes():
    texts = np.array(list("abababab"))
    fitted = people(labels=None, y=texts, target=(texts == "b") * 1, groups=GROUPS).fit(
        Classifies()
    )
    assert fitted.given[1] is texts
    assert fitted.given[2]["masks"] is MASKS
    assert fitted.given[2]["groups"].tolist() == GROUPS.tolist()


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("segmenter", [Segments(), SupervisedSegmenter()])
def test_no_masks_are_none(labels, segmenter):
    (_, masks), _ = people(None, labels).arguments(segmenter)
    assert masks is None


def test_strata_are_labels_else_whether_anything_is_there():
    assert people().strata.tolist() == [0, 1, 0, 0, 1, 0, 1, 1]
    assert people(None).strata.tolist() == LABELS.tolist()
    assert people(labels=None).strata.tolist() == [0, 1, 1, 0, 1, 1, 0, 1]
    indicator = np.stack([LABELS, np.where(LABELS < 0, -1, 0)], axis=1)
    assert people(None, indicator).strata.tolist() == LABELS.tolist()


@pytest.mark.parametrize("seed", [None, 0])
def test_folds_are_stratified_and_unlabeled_images_train_only(seed):
    folds = people(None).folds(2, seed=seed)
    assert sorted(np.concatenate([test for _, test in folds])) == [0, 1, 2, 4, 5, 6]
    for training, test in folds:
        assert {3, 7} <= set(training)
        assert not set(training) & set(test)
        assert abs(np.subtract(*np.bincount(LABELS[test]))) <= 1


def test_only_some_are_tested():
    folds = people().folds(2, tested=LABELS >= 0)
    assert sorted(np.concatenate([test for _, test in folds])) == [0, 1, 2, 4, 5, 6]
    assert len(np.concatenate([test for _, test in people().folds(2)])) == 8


@pytest.mark.parametrize(("cv", "seed"), [(2, None), (2, 0), (GroupKFold(2), None)])
def test_groups_stay_together(cv, seed):
    for training, test in people(groups=GROUPS).folds(cv, seed=seed):
        assert not set(GROUPS[training]) & set(GROUPS[test])


def test_splitters_are_taken_as_they_are():
    tests = [test.tolist() for _, test in people().folds(KFold(2), seed=0)]
    assert tests == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_every_image_is_tested_once():
    with pytest.raises(ValueError, match=r"cv=ShuffleSplit.* test every image once, as KFold"):
        people(None).folds(ShuffleSplit(2, random_state=0))
