import itertools

import numpy as np
import pytest

from segclf.data import MixingSampler, ShuffledSampler, TwoStreamSampler

EXPERT = np.arange(40) % 4 == 0
SAMPLERS = [
    ShuffledSampler(40),
    MixingSampler(EXPERT, 0.3),
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
