import copy

import pytest
import torch
from torch import nn

from segclf.objectives import Objective
from segclf.training import TrainingPlan, train


class Points:
    """Batches of a line's points, always in one order."""

    def __init__(self, n_batches=3, slope=2.0):
        x = torch.linspace(-1, 1, 4 * n_batches).reshape(n_batches, 4, 1)
        self.batches = [{"index": torch.arange(4), "x": part, "y": slope * part} for part in x]

    def __len__(self):
        return len(self.batches)

    def epoch(self, epoch):
        yield from self.batches


class Regression(Objective):
    def __init__(self):
        super().__init__()
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.calls = []

    def forward(self, batch, progress):
        self.calls.append(("forward", *progress))
        error = self.network(batch["x"]) - batch["y"]
        return {"square": error.square().mean(), "absolute": 0.5 * error.abs().mean()}

    def before_epoch(self, batches, progress):
        self.calls.append(("before_epoch", len(list(batches))))

    def before_update(self, progress):
        self.calls.append(("before_update", self.network.weight.grad is not None))

    def after_update(self, progress):
        self.calls.append(("after_update", self.network.weight.item() != 0))


def plan(**changes):
    return TrainingPlan(**{"max_epochs": 2, "learning_rate": 0.1, "optimizer": "sgd", **changes})


def test_it_equals_a_loop_by_hand():
    objective, batches = Regression(), Points()
    by_hand = copy.deepcopy(objective.network)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1, momentum=0.9)
    for step in range(6):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 6)
        error = by_hand(batches.batches[step % 3]["x"]) - batches.batches[step % 3]["y"]
        optimizer.zero_grad()
        (error.square().mean() + 0.5 * error.abs().mean()).backward()
        optimizer.step()
    train(objective, batches, plan(schedule=lambda fraction: 1 - fraction))
    torch.testing.assert_close(objective.network.weight, by_hand.weight)


def test_hooks_come_in_time_order():
    objective = Regression()
    train(objective, Points(n_batches=1), plan(max_epochs=1))
    assert objective.calls == [
        ("before_epoch", 1),
        ("forward", 0, 0, 0.0),
        ("before_update", True),
        ("after_update", True),
    ]


class Measured(Regression):
    """Says what its weight was, beside its loss."""

    def measures(self):
        return {"weight": self.network.weight.detach().squeeze()}

    def after_epoch(self, row):
        self.calls.append(("after_epoch", row["epoch"], row["weight"]))


def test_measures_are_columns_and_no_part_of_the_loss():
    objective, plain = Measured(), Regression()
    held_out = Points(n_batches=1, slope=-1.0)
    history = train(objective, Points(), plan(), held_out)
    expected = train(plain, Points(), plan(), held_out)
    assert torch.equal(objective.network.weight, plain.network.weight)
    assert [row["loss"] for row in history] == [row["loss"] for row in expected]
    assert [row["loss"] for row in history] == [row["square"] + row["absolute"] for row in history]
    assert history[-1]["validation_weight"] == objective.network.weight.item()
    # Each forward of an epoch sees the weight of the step before: the mean starts at 0.
    assert 0 < history[0]["weight"] < history[1]["weight"]


def test_an_objective_sees_each_row_of_the_history():
    objective = Measured()
    history = train(objective, Points(), plan())
    seen = [call for call in objective.calls if call[0] == "after_epoch"]
    assert seen == [("after_epoch", row["epoch"], row["weight"]) for row in history]


class Scheduled(Regression):
    """One parameter under a schedule of its own."""

    def parameter_groups(self):
        return [{"params": [self.network.weight], "schedule": lambda fraction: 0.5}]


def test_a_group_may_have_a_schedule_of_its_own():
    objective, plain = Scheduled(), Regression()
    train(objective, Points(), plan(schedule="cosine"))
    train(plain, Points(), plan(learning_rate=0.05))
    assert torch.equal(objective.network.weight, plain.network.weight)


def test_progress_counts_epochs_steps_and_the_fraction():
    objective = Regression()
    train(objective, Points(n_batches=2), plan())
    seen = [call[1:] for call in objective.calls if call[0] == "forward"]
    assert seen == [(0, 0, 0.0), (0, 1, 0.25), (1, 2, 0.5), (1, 3, 0.75)]


def test_each_term_is_a_column_and_loss_is_their_sum():
    history = train(Regression(), Points(), plan(), Points())
    assert list(history[0]) == [
        "epoch", "learning_rate", "square", "absolute", "loss",
        "validation_square", "validation_absolute", "validation_loss", "seconds",
    ]  # fmt: skip
    assert history[0]["loss"] == pytest.approx(history[0]["square"] + history[0]["absolute"])


def test_early_stopping_restores_the_best_weights():
    """Validation wants slope 1, training goes on to 2: the best is on the way."""
    objective = Regression()
    seen = []

    def after_epoch(row):
        seen.append(objective.network.weight.item())
        return False

    history = train(
        objective,
        Points(),
        plan(max_epochs=50, learning_rate=0.05, n_iter_no_change=3, after_epoch=after_epoch),
        Points(slope=1.0),
    )
    losses = [row["validation_loss"] for row in history]
    best = losses.index(min(losses))
    assert len(history) == best + 4 < 50
    assert objective.network.weight.item() == seen[best] != seen[-1]


def test_after_epoch_stops_training():
    assert len(train(Regression(), Points(), plan(after_epoch=lambda row: row["epoch"] == 0))) == 1


def test_divergence_names_the_term_and_the_epoch():
    with pytest.raises(FloatingPointError, match=r"'square' became (inf|nan) in epoch"):
        train(Regression(), Points(), plan(max_epochs=500, learning_rate=1e9))


def test_bf16_computes_in_bf16():
    class Type(Regression):
        def forward(self, batch, progress):
            self.dtype = self.network(batch["x"]).dtype
            return super().forward(batch, progress)

    objective = Type()
    train(objective, Points(), plan(precision="bf16"))
    assert objective.dtype == torch.bfloat16
    assert objective.network.weight.dtype == torch.float32
