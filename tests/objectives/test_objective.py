import pytest
import torch
from torch import nn

from segclf.networks import classification_network
from segclf.objectives import Objective


class Plain(Objective):
    """Any network and one more layer."""

    def __init__(self):
        super().__init__()
        self.network = classification_network(encoder="tiny", in_channels=1)
        self.beside = nn.Linear(2, 2)

    def forward(self, batch, progress):
        return {"nothing": self.beside.weight.sum()}


def sizes(groups):
    return {group["rate"]: len(group["params"]) for group in groups}


def test_one_group_of_all_that_trains():
    objective = Plain()
    objective.beside.bias.requires_grad_(False)
    (group,) = objective.parameter_groups()
    assert group["rate"] == 1
    expected = {id(p) for p in objective.parameters()} - {id(objective.beside.bias)}
    assert {id(p) for p in group["params"]} == expected


def test_an_encoder_with_a_rate_of_its_own_is_a_group():
    objective = Plain()
    objective.network.set_encoder_rate(0.1)
    n_encoder = len(list(objective.network.encoder.parameters()))
    n_all = len(list(objective.parameters()))
    assert sizes(objective.parameter_groups()) == {0.1: n_encoder, 1.0: n_all - n_encoder}


def test_a_frozen_encoder_is_in_no_group():
    objective = Plain()
    objective.network.set_encoder_rate(0.0)
    n_encoder = len(list(objective.network.encoder.parameters()))
    n_all = len(list(objective.parameters()))
    assert sizes(objective.parameter_groups()) == {1.0: n_all - n_encoder}
    objective.network.set_encoder_rate(0.5)  # and back
    assert sizes(objective.parameter_groups()) == {0.5: n_encoder, 1.0: n_all - n_encoder}


def test_hooks_do_nothing_unless_asked():
    objective = Plain()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    assert objective.measures() == {}
    assert objective.after_epoch({"epoch": 0}) is None
    for name, value in objective.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_of_an_encoder_may_have_rates_of_their_own():
    objective = Plain()
    encoder = objective.network.set_encoder_rate(0.5, layer_decay=0.1).encoder
    rates = [(g["rate"], id(p)) for g in objective.parameter_groups() for p in g["params"]]
    assert sorted(name for _, name in rates) == sorted(map(id, objective.parameters()))
    found = {name: rate for rate, name in rates}
    for stage, rate in zip(encoder.stages, (0.005, 0.05, 0.5), strict=True):
        assert [found[id(p)] for p in stage.parameters()] == pytest.approx([rate] * 4)
    assert {found[id(p)] for p in objective.beside.parameters()} == {1.0}


def test_an_encoder_that_waits_is_in_a_group():
    objective = Plain()
    objective.network.set_encoder_rate(1.0, start=0.25)
    rest, waiting = sorted(objective.parameter_groups(), key=lambda group: "start" in group)
    assert (waiting["start"], waiting["rate"]) == (0.25, 1.0)
    assert {*map(id, waiting["params"])} == {*map(id, objective.network.encoder.parameters())}
    assert not any(each.requires_grad for each in waiting["params"])
    assert "start" not in rest
