import pytest
import torch

from segclf.networks import encoder_operations


def test_larger_encoders_cost_more():
    costs = [encoder_operations(name) for name in ("tiny", "resnet18", "resnet34")]
    assert costs == sorted(costs)
    assert costs[2] == pytest.approx(2 * costs[1], rel=0.15)


def test_first_convolution_counts_channels():
    one, three, five = (encoder_operations("tiny", n) for n in (1, 3, 5))
    assert five - three == three - one > 0


def test_random_numbers_stay_where_they_were():
    before = torch.random.get_rng_state()
    encoder_operations("tiny")
    assert torch.equal(torch.random.get_rng_state(), before)
