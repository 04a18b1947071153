import math

import pytest

from segclf.training.schedules import SCHEDULES, get_schedule, polynomial, ramp_up, warm_up


@pytest.mark.parametrize(
    ("iteration", "weight"),
    [
        (0, 0.000674),
        (1500, 0.001097),
        (5000, 0.003062),
        (9999, 0.010598),
        (15000, 0.02865),
        (30000, 0.1),
    ],
)
def test_ramp_up_gives_the_weights_of_cross_teaching(iteration, weight):
    """Luo et al.: .1 times the ramp-up of iteration // 150 over 200."""
    assert 0.1 * ramp_up(iteration // 150 / 200) == pytest.approx(weight, abs=6e-7, rel=5e-4)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("constant", (1, 1, 1)),
        ("cosine", (1, 0.5, 0)),
        ("shallow_cosine", (1, 3.5 / 3.6, 3.4 / 3.6)),
        ("step", (1, 0.1, 0.001)),
        ("polynomial", (1, 0.5**0.9, 0)),
        ("ramp_up", (math.exp(-5), math.exp(-1.25), 1)),
        ("warm_up", (0, 1, 1)),
        ("warm_up_cosine", (0, (1 + math.cos(math.pi * 4 / 9)) / 2, 0)),
        ("one_cycle", (0.04, (1 + math.cos(math.pi * 2 / 7)) / 2, 0)),
    ],
)
def test_start_middle_and_end(name, values):
    found = tuple(SCHEDULES[name](fraction) for fraction in (0.0, 0.5, 1.0))
    assert found == pytest.approx(values, abs=1e-12)


def test_one_cycle_peaks_at_one():
    assert SCHEDULES["one_cycle"](0.3) == pytest.approx(1.0)


def test_warm_up_then_follows_any_schedule():
    assert warm_up(0.2, length=0.4) == pytest.approx(0.5)
    assert warm_up(0.7, length=0.4, then=polynomial) == pytest.approx(0.5**0.9)


def test_a_callable_is_its_own_schedule():
    assert get_schedule(polynomial) is polynomial


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ValueError, match=r"No schedule named 'cosin'; available: .*cosine"):
        get_schedule("cosin")
