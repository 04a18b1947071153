import numpy as np
import pytest

from segclf.base.split import split_validation
from segclf.data import Samples, as_images


def samples(labels):
    return Samples(images=as_images(np.zeros((len(labels), 2, 2))), labels=np.asarray(labels))


def split(labels, fraction, groups=None, strata="labels", seed=0):
    everything = samples(labels)
    training, validation = split_validation(
        everything,
        fraction,
        strata=everything.labels if strata == "labels" else None,
        groups=groups,
        seed=seed,
    )
    return [part.images._rows.tolist() for part in (training, validation)]


def test_nothing_is_held_out_for_a_fraction_of_zero():
    everything = samples([0, 1])
    training, validation = split_validation(everything, 0, strata=None, groups=None, seed=0)
    assert training is everything
    assert validation is None


def test_strata_keep_their_shares():
    labels = np.array([0] * 30 + [1] * 10)
    training, validation = split(labels, 0.2)
    assert np.bincount(labels[validation]).tolist() == [6, 2]
    assert sorted(training + validation) == list(range(40))


def test_unlabeled_images_stay_in_training():
    labels = np.array([-1, 0, 1] * 10)
    training, validation = split(labels, 0.5)
    assert (labels[validation] >= 0).all()
    assert len(validation) == 10
    assert (labels[training] == -1).sum() == 10


@pytest.mark.parametrize("fraction", [0, 0.5])
def test_or_are_left_out_of_both_parts(fraction):
    everything = samples([-1, 0, 1] * 10)
    parts = split_validation(
        everything, fraction, strata=None, groups=None, seed=0, keep_unlabeled=False
    )
    labels = np.concatenate([part.labels for part in parts if part is not None])
    assert sorted(labels) == [0] * 10 + [1] * 10


@pytest.mark.parametrize("strata", ["labels", None])
def test_a_group_is_never_in_both_parts(strata):
    groups = np.repeat(np.arange(12), 4)
    labels = np.tile([0, 0, 1, 1], 12)
    for seed in range(5):
        training, validation = split(labels, 0.25, groups=groups, strata=strata, seed=seed)
        assert validation
        assert not set(groups[training]) & set(groups[validation])


def test_a_class_of_one_image_falls_back_to_a_random_split():
    training, validation = split([0] * 9 + [1], 0.3)
    assert len(validation) == 3
    assert len(training) == 7


@pytest.mark.parametrize(
    ("labels", "fraction", "groups", "message"),
    [
        ([0, -1, -1], 0.2, None, r"=0.2 would hold out 1 of 1 labeled image\(s\)"),
        ([0, 1, 1], 0.9, None, r"=0.9 would hold out 3 of 3 labeled image\(s\)"),
        ([0, 1] * 8, 0.2, [5] * 16, r"=0.2 would hold out 1 of 1 group\(s\)"),
        ([0, 1] * 8, 0.9, [0, 0, 1, 1] * 4, r"=0.9 would hold out 2 of 2 group\(s\)"),
    ],
)
def test_what_cannot_be_split_is_an_error(labels, fraction, groups, message):
    with pytest.raises(ValueError, match=f"validation_fraction{message}.*leaves none to learn"):
        split(labels, fraction, groups=groups)


def test_as_few_groups_as_can_be_split():
    labels, groups = [0, 1] * 8, np.repeat([0, 1], 8)
    training, validation = split(labels, 0.75, groups=groups)
    assert len(training) == len(validation) == 8


def test_groups_must_fit_the_images():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        split([0, 1, 0, 1], 0.5, groups=[1, 2])
