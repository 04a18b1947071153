import pytest
import torch

from segclf.training.optimizers import follow_schedules, make_optimizer


def groups():
    return [
        {"params": [torch.nn.Parameter(torch.ones(2))], "rate": 0.1},
        {"params": [torch.nn.Parameter(torch.ones(2))]},
    ]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_group_scales_the_rate(name):
    optimizer = make_optimizer(name, groups(), learning_rate=0.5, weight_decay=0.25)
    follow_schedules(optimizer, lambda fraction: fraction, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.25])
    assert all(group["weight_decay"] == 0.25 for group in optimizer.param_groups)


def test_rates_do_not_compound():
    optimizer = make_optimizer("sgd", groups(), learning_rate=1.0, weight_decay=0.0)
    for factor in (0.5, 0.5, 1.0):
        follow_schedules(optimizer, lambda fraction: fraction, factor)
    assert optimizer.param_groups[1]["lr"] == 1.0


def test_a_weight_decay_may_follow_a_schedule():
    scheduled, constant = groups()
    scheduled["weight_decay_schedule"] = lambda fraction: 0.04 + fraction
    optimizer = make_optimizer("adamw", [scheduled, constant], learning_rate=1.0, weight_decay=0.25)
    follow_schedules(optimizer, lambda fraction: 1.0, 0.5)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.54, 0.25]


def test_a_callable_makes_its_own():
    optimizer = make_optimizer(torch.optim.RMSprop, groups(), learning_rate=0.5, weight_decay=0.0)
    assert isinstance(optimizer, torch.optim.RMSprop)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ValueError, match="No optimizer named 'lion'; available: adam, adamw, sgd"):
        make_optimizer("lion", groups(), learning_rate=1.0, weight_decay=0.0)
