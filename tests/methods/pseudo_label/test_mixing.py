import numpy as np
import pytest

from segclf.data import KindsSampler, MixingSampler
from segclf.methods.pseudo_label.mixing import Mixing

# 10 masks with findings, 90 empty ones, and pseudo masks of 100 images with findings.
EXPERT = np.arange(200) < 100
POSITIVE = (np.arange(200) < 10) | ~EXPERT
USED = np.ones(200, dtype=bool)


def frequencies(sampler, n_epochs=50):
    """Return how often each sample comes in an epoch, on average."""
    batches = [np.concatenate(sampler.batches(8, 0, epoch)) for epoch in range(n_epochs)]
    return np.bincount(np.concatenate(batches), minlength=200) / n_epochs


def test_all_alike_is_left_to_the_segmenter():
    assert Mixing().sampler(EXPERT, POSITIVE, USED, 0.5) is None


def test_a_weight_is_how_often_an_expert_comes_where_another_comes_once():
    often = frequencies(Mixing(weight=4.5).sampler(EXPERT, POSITIVE, USED, 0))
    assert often[EXPERT].mean() / often[~EXPERT].mean() == pytest.approx(4.5, rel=0.05)
    assert often.sum() == pytest.approx(200)


def test_chexsegs_probability_is_that_weight_at_its_numbers():
    expert = np.arange(300) < 200
    everything = np.ones(300, dtype=bool)
    sampler = Mixing(weight=4.5).sampler(expert, everything, everything, 0.5)
    assert sampler.weights[expert].sum() / sampler.weights.sum() == pytest.approx(0.9)


def test_findings_have_their_share_and_experts_their_weight():
    sampler = Mixing(weight=4.5).sampler(EXPERT, POSITIVE, USED, 0.5)
    often = frequencies(sampler)
    assert often[POSITIVE].sum() == pytest.approx(100, rel=0.03)
    found = often[EXPERT & POSITIVE].mean() / often[~EXPERT].mean()
    assert found == pytest.approx(4.5, rel=0.06)


def test_a_probability_holds_and_findings_have_their_share_of_experts():
    sampler = Mixing(probability=0.8).sampler(EXPERT, POSITIVE, USED, 0.5)
    often = frequencies(sampler)
    assert often[EXPERT].sum() == pytest.approx(160, rel=0.03)
    assert often[EXPERT & POSITIVE].sum() == pytest.approx(80, rel=0.05)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_probability_without_a_share_is_chexsegs_sampler(probability):
    sampler = Mixing(probability=probability).sampler(EXPERT, POSITIVE, USED, 0)
    assert isinstance(sampler, MixingSampler)
    assert sampler.probability == probability


def test_what_has_no_mask_takes_no_place_from_others():
    used = np.arange(200) < 150
    sampler = Mixing(probability=0.8).sampler(EXPERT, POSITIVE & used, used, 0.5)
    often = frequencies(sampler.subset(np.flatnonzero(used)))[:150]
    assert often[:100].sum() == pytest.approx(0.8 * 150, rel=0.03)


def test_kinds_take_turns_within():
    sampler = KindsSampler(np.array([0, 0, 0, 1, 2]), np.array([1.0, 1, 1, 3, 0]))
    batches = sampler.batches(2, seed=0, epoch=0)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    again = sampler.batches(2, seed=0, epoch=0)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    counts = sum(
        np.bincount(np.concatenate(sampler.batches(2, 0, e)), minlength=5) for e in range(200)
    )
    assert counts[4] == 0
    assert counts[3] == pytest.approx(500, rel=0.1)
    assert np.ptp(counts[:3]) < 0.3 * counts[:3].mean()
