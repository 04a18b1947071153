import copy
import dataclasses
import itertools

import pytest
import torch
from torch import nn

from segclf.objectives import Objective
from segclf.training import TrainingPlan, TrainingState, loop, train


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


@pytest.mark.parametrize("max_steps", [1, 3, 4, 7])
def test_steps_instead_of_epochs(max_steps):
    """They are counted exactly, and the schedule is spread over them."""
    objective = Regression()
    schedule = plan(max_steps=max_steps, max_epochs=1, schedule=lambda fraction: 1 - fraction)
    state = TrainingState(objective, schedule)
    history = train(objective, Points(), schedule, Points(slope=1.0), state=state)
    pairs = itertools.pairwise(objective.calls)
    trained = [call for call, then in pairs if then[0] == "before_update"]
    assert [call[2] for call in trained] == list(range(max_steps))
    assert [call[3] for call in trained] == [step / max_steps for step in range(max_steps)]
    assert len(history) == -(-max_steps // 3)
    assert (state.n_steps, state.termination) == (max_steps, "max_steps")


def test_seconds_end_training_after_a_step(monkeypatch):
    """By a clock that goes on by a second each time that it is looked at."""
    ticks = itertools.count()
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(ticks)))
    objective = Regression()
    short = plan(max_epochs=10, max_seconds=3.5)
    state = TrainingState(objective, short)
    history = train(objective, Points(n_batches=20), short, Points(), state=state)
    assert (state.n_steps, state.termination, len(history)) == (3, "max_seconds", 1)
    assert "validation_loss" in history[0]


def test_seconds_that_are_enough_change_nothing():
    weights = []
    for max_seconds in (None, 1e6):
        objective, long = Regression(), plan(max_seconds=max_seconds)
        state = TrainingState(objective, long)
        train(objective, Points(), long, state=state)
        weights.append(objective.network.weight.item())
        assert state.termination == "max_epochs"
    assert weights[0] == weights[1]


def test_what_ended_training():
    for name, changes in (
        ("callback", {"after_epoch": lambda row: True}),
        ("n_iter_no_change", {"max_epochs": 50, "n_iter_no_change": 1, "learning_rate": 1e-30}),
    ):
        objective, chosen = Regression(), plan(**changes)
        state = TrainingState(objective, chosen)
        train(objective, Points(), chosen, state=state)
        assert state.termination == name


class Joined(Points):
    """The batches of another, several of them in one."""

    def __init__(self, points, length):
        groups = [points.batches[i : i + length] for i in range(0, len(points), length)]
        self.batches = [
            {name: torch.cat([batch[name] for batch in group]) for name in group[0]}
            for group in groups
        ]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_accumulated_batches_are_one_batch_of_their_joint_size(optimizer):
    """Of 5 batches, the last of which is short, 2 make a step: the last step is of one batch."""
    points = Points(n_batches=5)
    points.batches[-1] = {name: values[:3] for name, values in points.batches[-1].items()}
    objective, expected = Regression(), Regression()
    how = plan(optimizer=optimizer, schedule="cosine", max_epochs=3)
    several = dataclasses.replace(how, accumulate_batches=2)
    state = TrainingState(objective, several)
    history = train(objective, points, several, state=state)
    by_joined = train(expected, Joined(points, 2), how)
    torch.testing.assert_close(objective.network.weight, expected.network.weight)
    assert state.n_steps == 9
    for one, other in zip(history, by_joined, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["learning_rate"] == other["learning_rate"]


def test_images_weigh_the_same_in_unequal_batches_of_one_step():
    points = Points(n_batches=2)
    points.batches[1] = {name: values[:1] for name, values in points.batches[1].items()}
    objective, expected = Regression(), Regression()
    train(objective, points, plan(accumulate_batches=2))
    train(expected, Joined(points, 2), plan())
    torch.testing.assert_close(objective.network.weight, expected.network.weight)


def test_a_step_is_an_update():
    """For the hooks, for progress, and for `max_steps`, which may end training within an epoch."""
    objective = Regression()
    how = plan(accumulate_batches=2, max_steps=5)
    state = TrainingState(objective, how)
    history = train(objective, Points(n_batches=5), how, state=state)
    steps = [call[2:] for call in objective.calls if call[0] == "forward"]
    counts = [2, 2, 1, 2, 2]
    assert steps == [(i, i / 5) for i, count in enumerate(counts) for _ in range(count)]
    assert len([call for call in objective.calls if call[0] == "after_update"]) == 5
    assert (state.n_steps, len(history)) == (5, 2)


class Two(Regression):
    """Two parameters, and a record of the gradients that the optimizer will see."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, batch, progress):
        error = self.network(batch["x"]) + self.shift - batch["y"] - 3
        return {"square": error.square().mean()}


@pytest.mark.parametrize("longest", [0.5, 1e6])
def test_long_gradients_are_scaled_down_together(longest):
    """One step of plain descent goes along the gradient, no further than the length allows."""
    points = Points(n_batches=1)
    objective, by_hand = Two(), Two()
    by_hand(points.batches[0], None)["square"].backward()
    gradients = [each.grad.clone() for each in by_hand.parameters()]
    length = torch.cat([each.reshape(-1) for each in gradients]).norm().item()
    assert 0.5 < length < 1e6
    train(objective, points, plan(max_epochs=1, clip_gradients=longest))
    for parameter, gradient in zip(objective.parameters(), gradients, strict=True):
        moved = -0.1 * gradient * min(1, longest / length)
        torch.testing.assert_close(parameter.data, moved, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("patience", [None, 3])
def test_the_highest_measure_keeps_its_epoch_and_sees_held_out_batches_only(patience):
    """Measured on the way to slope 2: the weight comes nearest to .7, then goes on."""
    objective, held_out, seen = Regression(), Points(n_batches=2, slope=1.0), []

    def measure(batches):
        given = [batch["x"] for batch in batches]
        assert all(map(torch.equal, given, (batch["x"] for batch in held_out.batches)))
        assert not objective.training
        assert not torch.is_grad_enabled()
        seen.append(objective.network.weight.item())
        return {"validation_nearness": -abs(seen[-1] - 0.7)}

    how = plan(max_epochs=12, learning_rate=0.05, n_iter_no_change=patience)
    how = dataclasses.replace(how, monitor="nearness", measure=measure)
    history = train(objective, Points(), how, held_out)
    best = max(range(len(seen)), key=lambda epoch: history[epoch]["validation_nearness"])
    assert len(history) == (best + 4 if patience else 12)
    assert objective.network.weight.item() == seen[best] != seen[-1]


class Faint(Regression):
    """The same, with a loss whose gradients are as small or large as is said."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, batch, progress):
        error = self.network(batch["x"]) - batch["y"]
        return {"square": self.factor * error.float().square().mean()}


def learned(factor, precision, n_epochs=4):
    objective = Faint(factor)
    settings = plan(precision=precision, max_epochs=n_epochs, learning_rate=0.1 / factor)
    state = TrainingState(objective, settings)
    train(objective, Points(), settings, state=state)
    return objective.network.weight.item(), state


def test_small_gradients_are_no_zeros_in_fp16():
    """Those of the outputs are 1e-8, and the smallest number of fp16 is 6e-8."""
    assert learned(1e-8, "fp16")[0] == pytest.approx(learned(1e-8, "fp32")[0], rel=1e-2)


def test_steps_that_overflow_in_fp16_are_left_out_and_lower_the_scale():
    weight, state = learned(100.0, "fp16")
    assert 0.5 < weight < learned(100.0, "fp32")[0]
    assert [learned(100.0, "fp16")[0] for _ in range(8)] == [weight] * 8  # no momenta from nowhere
    assert 0 < state.scaler.get_scale() < 2**16
    again = TrainingState(Faint(100.0), plan(precision="fp16"))
    again.load_state_dict(copy.deepcopy(state.state_dict()))
    assert again.scaler.get_scale() == state.scaler.get_scale()
