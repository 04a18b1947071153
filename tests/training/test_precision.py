import pytest
import torch
from torch import nn

from segclf.objectives import Objective
from segclf.training import precision
from segclf.training.precision import choose_precision


class Mean(Objective):
    def __init__(self):
        super().__init__()
        self.network = nn.BatchNorm2d(1)
        self.ballast = nn.Parameter(torch.zeros(999_998))

    def forward(self, batch, progress):
        return {"mean": self.network(batch["image"]).square().mean() + 0 * self.ballast.sum()}


def choose(size, setting="auto"):
    batch = {"image": torch.rand(10, 1, size, size), "index": torch.arange(10)}
    return choose_precision(setting, Mean(), batch, torch.device("cpu"))


def test_small_work_is_never_probed(monkeypatch):
    monkeypatch.setattr(precision, "_probe", lambda *args: pytest.fail("probed"))
    assert choose(99) == "fp32"


@pytest.mark.parametrize(("ratio", "answer"), [(1.1, "fp32"), (1.2, "bf16")])
def test_the_faster_wins_by_a_margin(monkeypatch, ratio, answer):
    monkeypatch.setattr(precision, "_known", {})
    seconds = {"fp32": ratio, "bf16": 1.0}
    monkeypatch.setattr(precision, "_seconds", lambda *args: seconds[args[-1]])
    assert choose(100) == answer


def test_one_probe_serves_the_process(monkeypatch):
    calls = []
    monkeypatch.setattr(precision, "_known", {})
    monkeypatch.setattr(precision, "_probe", lambda *args: calls.append(1) or "bf16")
    assert [choose(100), choose(100), choose(110)] == ["bf16"] * 3
    assert len(calls) == 2


def test_the_probe_leaves_the_objective_and_the_generator_alone():
    objective = Mean()
    batch = {"image": torch.rand(2, 1, 128, 128), "index": torch.arange(2)}
    state = torch.random.get_rng_state()
    precision._probe(objective, batch, torch.device("cpu"))
    assert objective.network.num_batches_tracked == 0
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_wrong_name_is_named():
    with pytest.raises(ValueError, match="got 'fp16'"):
        choose(8, "fp16")
