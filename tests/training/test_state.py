"""Training that stops and goes on ends with the bits of training that never stopped."""

import copy
import dataclasses

import pytest
import torch
from every_method import TRAINED, by_name, fitted
from torch import nn

from segclf.base import network_estimator
from segclf.isolation import get_random_state, set_random_state
from segclf.objectives import Objective
from segclf.training import TrainingPlan, TrainingState, train

N_EPOCHS = 3


def start_again(objective):
    """A fresh objective; nothing of its state is what training starts with."""
    other = copy.deepcopy(objective)
    for value in other.state_dict().values():
        value.zero_()
    return other


def in_two_parts(objective, batches, plan, validation, stop_after):
    """Train for some epochs, and go on with nothing but the dictionary of the state."""
    state = TrainingState(copy.deepcopy(objective), plan)
    stored = {}

    def after_epoch(row):
        stored.update(copy.deepcopy(state.state_dict()))
        return row["epoch"] + 1 == stop_after

    first = dataclasses.replace(plan, after_epoch=after_epoch)
    train(state.objective, batches, first, validation, state=state)
    torch.rand(7)  # generators go on, as they would in another process
    plan = dataclasses.replace(plan, after_epoch=None)
    state = TrainingState(start_again(objective), plan)
    state.load_state_dict(stored)
    history = train(state.objective, batches, plan, validation, state=state)
    return state.objective, history


@pytest.fixture
def trainings(monkeypatch):
    """How often a fit trained; each time it did so in two parts as well, and compared."""
    trained = []

    def train_both_ways(objective, batches, plan, validation=None, *, state, checkpoint=None):
        start, plain = copy.deepcopy(objective), plain_state(objective)
        generators = get_random_state(plan.device)
        history = train(objective, batches, plan, validation, state=state)
        end = get_random_state(plan.device)["cpu"]
        for stop_after in range(1, N_EPOCHS):
            set_random_state(generators, plan.device)
            other, its_history = in_two_parts(start, batches, plan, validation, stop_after)
            assert_same(objective, other)
            assert without_seconds(its_history) == without_seconds(history)
            assert torch.equal(get_random_state(plan.device)["cpu"], end)
        assert plain_state(objective) == plain
        trained.append(type(objective).__name__)
        return history

    monkeypatch.setattr(network_estimator, "train", train_both_ways)
    return trained


def assert_same(one, other):
    expected = one.state_dict()
    for name, value in other.state_dict().items():
        if not torch.equal(value, expected[name]):
            raise AssertionError(f"{name} differs")


def plain_state(objective):
    """Numbers, texts and the like that modules keep beside parameters and buffers."""
    return {
        f"{name}.{key}": repr(value)
        for name, module in objective.named_modules()
        for key, value in vars(module).items()
        if key not in vars(nn.Module())
    }


def without_seconds(history):
    return [{name: row[name] for name in row if name != "seconds"} for row in history]


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", TRAINED, ids=by_name)
def test_every_method_goes_on_with_the_same_bits(kind, trainings):
    fitted(kind, N_EPOCHS)
    assert trainings


class Line:
    """One batch of a line's points."""

    def __init__(self, slope=2.0):
        x = torch.linspace(-1, 1, 8)[:, None]
        self.batch = {"index": torch.arange(8), "x": x, "y": slope * x}

    def __len__(self):
        return 1

    def epoch(self, epoch):
        yield self.batch


class Regression(Objective):
    """With a schedule of its own, a hook, a measure and a random number in each forward."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(1, 1)
        nn.init.zeros_(self.network.weight)
        self.register_buffer("n_updates", torch.zeros(()))

    def forward(self, batch, progress):
        error = self.network(batch["x"]) - batch["y"]
        return {"square": (error.square() * torch.rand(())).mean()}

    def measures(self):
        weight = self.network.weight.detach().squeeze()
        return {"weight": weight, "falls_and_rises": -(weight - 0.5).abs()}

    def parameter_groups(self):
        return [{**super().parameter_groups()[0], "schedule": lambda fraction: 1 - fraction}]

    def after_update(self, progress):
        self.n_updates += 1


class Wrapper(nn.Module):
    """Runs what it wraps, and has none of its hooks."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs)


def plan(**changes):
    return TrainingPlan(**{"max_epochs": 6, "learning_rate": 0.1, "optimizer": "adam", **changes})


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_wrapper_hides_nothing(optimizer):
    plain, wrapped = Regression(), Regression()
    wrapped.load_state_dict(plain.state_dict())
    histories = []
    for objective, run in ((plain, None), (wrapped, Wrapper(wrapped))):
        torch.manual_seed(0)
        line, held_out = Line(), Line(1.0)
        how = plan(optimizer=optimizer)
        histories.append(train(objective, line, how, held_out, run=run))
    assert_same(plain, wrapped)
    assert wrapped.n_updates == 6
    assert without_seconds(histories[0]) == without_seconds(histories[1])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("stop_after", range(1, 8))
@pytest.mark.parametrize("monitor", [None, "falls_and_rises"])
def test_early_stopping_goes_on_too(monitor, optimizer, stop_after):
    """The best weights and the epochs since are part of the state, also once training is over."""
    how = plan(max_epochs=50, optimizer=optimizer, learning_rate=0.3, n_iter_no_change=3)
    how = dataclasses.replace(how, monitor=monitor)
    torch.manual_seed(0)
    objective, line, held_out = Regression(), Line(), Line(1.0)
    start = copy.deepcopy(objective)
    torch.manual_seed(1)
    history = train(objective, line, how, held_out)
    assert 3 < len(history) < 50
    torch.manual_seed(1)
    other, its_history = in_two_parts(start, line, how, held_out, min(stop_after, len(history)))
    assert_same(objective, other)
    assert without_seconds(its_history) == without_seconds(history)


def test_the_dictionary_is_plain_data():
    """Tensors, numbers, texts, None; lists and dictionaries: what a file without pickle holds."""
    state = TrainingState(Regression(), plan(max_epochs=1, n_iter_no_change=1))
    train(state.objective, Line(), plan(max_epochs=1, n_iter_no_change=1), state=state)

    def check(value):
        if isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                check(part)
        else:
            assert value is None or isinstance(value, torch.Tensor | str | float | int)

    check(state.state_dict())
    keys = {"objective", "optimizer", "generators", "precision", "history", "best", "average"}
    assert state.state_dict().keys() == keys | {"n_steps", "termination", "largest_part", "scaler"}


def test_a_training_that_is_done_stays_as_it_is():
    objective = Regression()
    state = TrainingState(objective, plan())
    history = train(objective, Line(), plan(), state=state)
    before = copy.deepcopy(objective)
    assert train(objective, Line(), plan(), state=state) == history
    assert state.epoch == len(history) == 6
    assert_same(before, objective)


def test_the_precision_that_was_chosen_is_kept():
    chosen = TrainingState(Regression(), plan(precision="bf16")).state_dict()
    state = TrainingState(Regression(), plan())
    state.load_state_dict(chosen)
    assert state.precision == "bf16"
