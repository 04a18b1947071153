import itertools

import numpy as np
import pytest

from segclf.data import BalancedSampler, MixingSampler, ShuffledSampler, TwoStreamSampler

EXPERT = np.arange(40) % 4 == 0
SAMPLERS = [
    ShuffledSampler(40),
    MixingSampler(EXPERT, 0.3),
    BalancedSampler(np.stack([EXPERT, ~EXPERT], axis=1)),
    TwoStreamSampler(EXPERT, n_labeled=2, n_unlabeled=3),
]


def sampled(sampler, n_epochs=1, batch_size=5, seed=0):
    epochs = (sampler.batches(batch_size, seed, epoch) for epoch in range(n_epochs))
    return np.concatenate(list(itertools.chain.from_iterable(epochs)))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_a_pure_function_of_seed_and_epoch(sampler):
    first = [sampled(sampler, seed=seed) for seed in (0, 1, 0)]
    np.testing.assert_array_equal(first[0], first[2])
    assert (first[0] != first[1]).any()
    later = sampler.batches(5, 0, 1)
    assert (np.concatenate(later) != first[0]).any()
    assert [len(batch) for batch in later] == [len(batch) for batch in sampler.batches(5, 0, 0)]


@pytest.mark.parametrize("n_samples", [1, 7, 16, 17])
def test_shuffled_takes_each_once_in_batches_of_nearly_one_size(n_samples):
    batches = ShuffledSampler(n_samples).batches(8, seed=3, epoch=2)
    assert sorted(np.concatenate(batches)) == list(range(n_samples))
    assert np.ptp([len(batch) for batch in batches]) <= 1
    assert max(len(batch) for batch in batches) <= 8


@pytest.mark.parametrize("p", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0])
def test_mixing_samples_experts_with_that_probability(p):
    """Among them .3, .6, .7 and .85, where the public code draws with .2, .5, .6 and .8."""
    indices = sampled(MixingSampler(EXPERT, p), n_epochs=500)
    share = EXPERT[indices].mean()
    assert abs(share - p) <= 3 * np.sqrt(p * (1 - p) / len(indices))


def test_mixing_samples_every_sample_of_a_kind_as_often():
    (indices,) = MixingSampler(EXPERT, 0.5).batches(40, seed=0, epoch=0)
    for kind in (EXPERT, ~EXPERT):
        counts = np.bincount(indices, minlength=40)[kind]
        assert np.ptp(counts) <= 1


@pytest.mark.parametrize("expert", [np.ones(6, bool), np.zeros(6, bool)])
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_mixing_of_one_kind_alone_samples_all(expert, p):
    assert sorted(sampled(MixingSampler(expert, p))) == list(range(6))


def test_two_streams_fill_every_batch_and_pass_over_the_longer_one():
    sampler = TwoStreamSampler(EXPERT, n_labeled=2, n_unlabeled=3)
    batches = sampler.batches(5, seed=0, epoch=0)
    assert len(batches) == 10  # 30 unlabeled samples by threes; 10 labeled ones twice
    for batch in batches:
        assert EXPERT[batch].tolist() == [True, True, False, False, False]
    counts = np.bincount(np.concatenate(batches), minlength=40)
    assert (counts[~EXPERT] == 1).all()
    assert (counts[EXPERT] == 2).all()


@pytest.mark.parametrize("labeled", [np.ones(8, bool), np.zeros(8, bool)])
def test_two_streams_of_which_one_is_empty_end(labeled):
    sampler = TwoStreamSampler(labeled, n_labeled=4, n_unlabeled=4)
    assert sorted(sampled(sampler)) == list(range(8))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_a_subset_knows_its_own_samples(sampler):
    chosen = np.array([0, 1, 4, 5, 6, 8, 39])
    indices = sampled(sampler.subset(chosen), n_epochs=20)
    assert set(indices) == set(range(len(chosen)))
    if isinstance(sampler, MixingSampler):
        share = EXPERT[chosen][indices].mean()
        assert abs(share - 0.3) < 0.15


def test_labeled_stream_by_a_mixing_sampler():
    labeled, positive = np.arange(30) < 20, np.arange(30) < 2
    mixing = MixingSampler(positive, probability=0.5)
    sampler = TwoStreamSampler(labeled, n_labeled=4, n_unlabeled=4, mixing=mixing)
    batches = np.stack([b for epoch in range(50) for b in sampler.batches(8, 0, epoch)])
    assert labeled[batches[:, :4]].all()
    assert not labeled[batches[:, 4:]].any()
    assert positive[batches[:, :4]].mean() == pytest.approx(0.5, abs=0.03)
    part = sampler.subset(np.array([0, 5, 25]))
    assert part.mixing.expert.tolist() == [True, False, False]
    assert part.labeled.tolist() == [True, True, False]


def counts_in_batches(sampler, labels, n_epochs=1, batch_size=8):
    """Count each class in each batch, (batches, classes); the last column counts -1."""
    batches = [b for e in range(n_epochs) for b in sampler.batches(batch_size, seed=0, epoch=e)]
    return np.array([[(labels[batch] == k).sum() for k in [*range(3), -1]] for batch in batches])


def test_balanced_has_every_class_in_every_batch():
    labels = np.repeat([0, 1, 2], [90, 7, 3])
    counts = counts_in_batches(BalancedSampler.of_labels(labels), labels, n_epochs=90)
    assert np.ptp(counts[:, :3], axis=1).max() <= 2  # whole rounds, and parts of two others
    assert counts.sum(axis=0)[:3] / counts.sum() == pytest.approx(1 / 3, abs=0.004)


def test_balanced_takes_every_sample_of_a_class_as_often():
    labels = np.repeat([0, 1, 2], [90, 7, 3])
    sampler = BalancedSampler.of_labels(labels)
    times = np.bincount(sampled(sampler), minlength=100)
    assert max(np.ptp(times[labels == k]) for k in range(3)) == 1
    shares = np.bincount(sampled(sampler, n_epochs=900), minlength=100)[:90] / 900
    assert shares == pytest.approx(100 / 3 / 90, abs=0.1)


def test_balanced_leaves_samples_without_a_class_their_share():
    labels = np.repeat([0, 1, -1], [24, 4, 12])
    counts = counts_in_batches(BalancedSampler.of_labels(labels), labels, n_epochs=3)
    assert counts.reshape(3, 5, 4).sum(axis=1).tolist() == [[14, 14, 0, 12]] * 3
    assert sorted(set(sampled(BalancedSampler.of_labels(labels))))[-12:] == [*range(28, 40)]


def test_balanced_of_an_indicator_takes_every_label_and_none():
    indicator = np.zeros((60, 2), int)
    indicator[:3, 0] = indicator[2:6, 1] = 1
    indicator[-1] = 0, -1
    indices = sampled(BalancedSampler.of_labels(indicator), n_epochs=200, batch_size=6)
    # 3 images of the first label, 4 of the second, one of both, 53 of none, one that nobody knows.
    share = 59 / 60 / 3
    found = [np.isin(indices, rows).mean() for rows in ([0, 1], [3, 4, 5], range(6, 59), [59])]
    expected = [share * 2 / 3, share * 3 / 4, share, 1 / 60]
    assert found == pytest.approx(expected, abs=0.005)


def test_balanced_does_not_depend_on_the_order_of_classes():
    labels = np.random.default_rng(0).integers(-1, 3, 50)
    others = np.array([2, 0, 1, -1])[labels]
    first, second = (sampled(BalancedSampler.of_labels(each)) for each in (labels, others))
    np.testing.assert_array_equal(first, second)


def test_balanced_of_a_part_balances_that():
    labels = np.repeat([0, 1, 2], [30, 5, 5])
    part = BalancedSampler.of_labels(labels).subset(np.arange(35))
    assert np.bincount(labels[sampled(part, n_epochs=2)]).tolist() == [35, 35]
