"""When states are written, which one is taken, and what happens where none can be."""

import dataclasses
import errno
import os
import warnings

import pytest
import torch
from interrupted import Killed
from torch import nn

from segclf.cache import CheckpointFiles
from segclf.objectives import Objective
from segclf.training import Checkpoint, CheckpointWarning, TrainingPlan, TrainingState, train


class Line:
    """Two batches of a line's points."""

    def __len__(self):
        return 2

    def epoch(self, epoch):
        for start in (0, 4):
            x = torch.linspace(-1, 1, 8)[start : start + 4, None]
            yield {"index": torch.arange(start, start + 4), "x": x, "y": 2 * x}


class Regression(Objective):
    def __init__(self):
        super().__init__()
        self.network = nn.Linear(1, 1)

    def forward(self, batch, progress):
        return {"square": (self.network(batch["x"]) - batch["y"]).square().mean() * torch.rand(())}


class FadingRegression(Regression):
    """Asks how long training is."""

    def forward(self, batch, progress):
        return {k: v * (1 - progress.fraction) for k, v in super().forward(batch, progress).items()}


def trained(folder, *, objective=Regression, every=1, after_epoch=None, **changes):
    """Train from the same start, as each call of the same fit does; return weights and state."""
    torch.manual_seed(0)
    plan = TrainingPlan(**{"max_epochs": 6, "learning_rate": 0.1, **changes})
    plan = dataclasses.replace(plan, after_epoch=after_epoch)
    state = TrainingState(objective(), plan)
    checkpoint = folder and Checkpoint(CheckpointFiles(folder, "key"), every)
    train(state.objective, Line(), plan, state=state, checkpoint=checkpoint)
    return state.objective.network.weight.item(), state


def killed_after(n_epochs):
    """Return a callback that ends a training as if its process was killed."""

    def after_epoch(row):
        if row["epoch"] + 1 == n_epochs:
            raise Killed

    return after_epoch


def train_until(folder, n_epochs, **changes):
    with pytest.raises(Killed):
        trained(folder, after_epoch=killed_after(n_epochs), **changes)


def files(folder):
    return sorted(path.name for path in (folder / "key").iterdir())


def epochs_after(folder, **changes):
    """Return which epochs are trained by the next call, and the weight."""
    seen = []
    weight, _ = trained(folder, after_epoch=lambda row: seen.append(row["epoch"]), **changes)
    return seen, weight


def test_the_last_two_are_kept(tmp_path):
    train_until(tmp_path, 4)
    assert files(tmp_path) == ["12-3.safetensors", "12-4.safetensors"]
    trained(tmp_path)
    assert files(tmp_path) == ["12-5.safetensors", "12-6-done.safetensors"]


@pytest.mark.parametrize(
    ("every", "written"),
    [(2, ["12-2", "12-4"]), (60.0, []), (1e-9, ["12-3", "12-4"]), ("auto", [])],
)
def test_how_often(tmp_path, every, written):
    train_until(tmp_path, 4, every=every) if written else trained(tmp_path, every=every)
    expected = written or ["12-6-done"]
    assert files(tmp_path) == [f"{name}.safetensors" for name in expected]


def damage(path, how):
    content = path.read_bytes()
    half = len(content) // 2
    changed = {
        "cut": content[:half],
        "empty": b"",
        "another byte": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["cut", "empty", "another byte"])
def test_a_torn_file_costs_an_epoch_and_two_cost_all(tmp_path, how):
    expected, _ = trained(None)
    for names, first in ((["12-4"], 2), (["12-3", "12-4"], 0)):
        folder = tmp_path / str(first)
        train_until(folder, 4)
        for name in names:
            damage(folder / "key" / f"{name}.safetensors", how)
        with pytest.warns(CheckpointWarning, match="damaged"):
            seen, weight = epochs_after(folder)
        assert seen == list(range(first, 6))  # the callback hears of the last one again
        assert weight == expected


def test_a_file_of_something_else_is_left_aside(tmp_path):
    """It is whole and of our form, but of no such state, and names what it may not."""
    expected, _ = trained(None)
    train_until(tmp_path, 4)
    store = CheckpointFiles(tmp_path, "key")
    places = sorted(store.places())
    values = store.read(places[1])
    values["state"]["objective"] = {"network.weight": torch.zeros(3, 5), "other": "text"}
    store.write(places[1], values)
    with pytest.warns(CheckpointWarning, match="damaged"):
        seen, weight = epochs_after(tmp_path)
    assert (seen[0], weight) == (2, expected)


def test_a_state_that_half_fits_leaves_nothing_behind(tmp_path):
    expected, _ = trained(None)
    train_until(tmp_path, 1)
    store = CheckpointFiles(tmp_path, "key")
    (place,) = store.places()
    values = store.read(place)
    values["state"]["generators"] = {"cpu": torch.zeros(3, dtype=torch.uint8)}
    store.write(place, values)
    with pytest.warns(CheckpointWarning, match="damaged"):
        seen, weight = epochs_after(tmp_path)
    assert (seen, weight) == (list(range(6)), expected)


def no_space(*args, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["os.replace", "os.fsync", "pathlib.Path.mkdir"])
def test_a_full_disk_is_told_once_and_training_goes_on(tmp_path, monkeypatch, call):
    expected, _ = trained(None)
    monkeypatch.setattr(call, no_space)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        weight, _ = trained(tmp_path)
    assert [each.category for each in told] == [CheckpointWarning]
    assert "No space left" in str(told[0].message)
    assert weight == expected


def test_what_was_written_before_the_disk_was_full_is_whole(tmp_path, monkeypatch):
    expected, _ = trained(None)
    train_until(tmp_path, 2)
    with monkeypatch.context() as full:
        full.setattr("os.replace", no_space)
        with pytest.warns(CheckpointWarning, match="without checkpoints"):
            train_until(tmp_path, 4)
    seen, weight = epochs_after(tmp_path)
    assert (seen[0], weight) == (1, expected)


def test_a_longer_training_takes_what_would_be_the_same(tmp_path):
    trained(tmp_path, max_epochs=3)
    seen, weight = epochs_after(tmp_path)
    assert seen == [2, 3, 4, 5]
    assert weight == trained(None)[0]
    assert epochs_after(tmp_path, max_epochs=3)[0] == [2]  # its own files are there still


@pytest.mark.parametrize(
    "changes",
    [{"schedule": "cosine"}, {"average_weights": 0.5}, {"objective": FadingRegression}],
    ids=["schedule", "averages", "objective"],
)
def test_a_longer_training_starts_anew_where_the_length_decides(tmp_path, changes):
    trained(tmp_path, max_epochs=3, **changes)
    seen, weight = epochs_after(tmp_path, **changes)
    assert seen == list(range(6))
    assert weight == trained(None, **changes)[0]


def test_steps_that_end_within_an_epoch_are_not_gone_on_from(tmp_path):
    """With 5 of 2 steps an epoch, the third epoch is half of one."""
    trained(tmp_path, max_steps=5)
    seen, weight = epochs_after(tmp_path, max_steps=9)
    assert seen[0] == 1
    assert weight == trained(None, max_steps=9)[0]


def test_a_larger_budget_goes_on(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class SlowRegression(Regression):
        def forward(self, batch, progress):
            now[0] += 1
            return super().forward(batch, progress)

    expected, whole = trained(None, objective=SlowRegression)
    slow = {"objective": SlowRegression, "max_seconds": 4.5}
    _, state = trained(tmp_path, **slow)
    assert (state.termination, state.n_steps) == ("max_seconds", 5)
    before = now[0]
    _, state = trained(tmp_path, **slow)
    assert now[0] == before
    assert (state.termination, state.n_steps) == ("max_seconds", 5)
    _, state = trained(tmp_path, **{**slow, "max_seconds": 8.5})
    assert (state.termination, state.n_steps, now[0]) == ("max_seconds", 9, before + 5)
    weight, state = trained(tmp_path, objective=SlowRegression)
    assert (state.termination, weight) == ("max_epochs", expected)
    assert len(whole.history) == len(state.history)
    _, state = trained(tmp_path, **slow)  # what was trained to its end is longer than that
    assert (state.termination, len(state.history)) == ("max_epochs", 6)


def test_what_a_callback_ended_it_ends_again(tmp_path):
    def stop(row):
        return row["epoch"] == 2

    expected, _ = trained(None, after_epoch=stop)
    train_until(tmp_path, 2)
    weight, state = trained(tmp_path, after_epoch=stop)
    assert (weight, state.termination) == (expected, "callback")
    again, state = trained(tmp_path, after_epoch=stop)
    assert (again, state.termination, len(state.history)) == (expected, "callback", 3)
    for changes in ({}, {"schedule": "cosine"}):
        folder = tmp_path / str(len(changes))
        trained(folder, after_epoch=stop, **changes)
        assert trained(folder, **changes)[0] == trained(None, **changes)[0]


def test_the_end_is_without_the_optimizer_where_nobody_goes_on(tmp_path):
    for schedule, expected in (("constant", True), ("cosine", False)):
        store = CheckpointFiles(tmp_path / schedule, "key")
        trained(tmp_path / schedule, schedule=schedule)
        before, end = (store.read(place)["state"] for place in sorted(store.places()))
        assert "optimizer" in before
        assert ("optimizer" in end) == expected


def interrupt(row):
    if row["epoch"] == 2:
        raise KeyboardInterrupt


def test_an_interrupt_is_written_and_says_how_to_go_on(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="resumes from the end of epoch 3"):
        trained(tmp_path, every="auto", after_epoch=interrupt)
    assert epochs_after(tmp_path) == ([2, 3, 4, 5], trained(None)[0])


class InterruptedRegression(Regression):
    """Ctrl-C in some batch."""

    interrupted_at = 5

    def forward(self, batch, progress):
        if progress.step == self.interrupted_at:
            raise KeyboardInterrupt
        return super().forward(batch, progress)


def test_an_interrupt_within_an_epoch_costs_the_epoch(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="resumes from the end of epoch 2"):
        trained(tmp_path, objective=InterruptedRegression)
    assert epochs_after(tmp_path) == ([1, 2, 3, 4, 5], trained(None)[0])


def test_without_a_checkpoint_an_interrupt_ends_the_epoch():
    _, state = trained(None, objective=InterruptedRegression)
    assert (state.termination, state.n_steps, len(state.history)) == ("interrupted", 5, 3)
    _, state = trained(None, after_epoch=interrupt)
    assert (state.termination, state.n_steps, len(state.history)) == ("interrupted", 6, 3)


def test_without_a_step_there_is_nothing_to_keep():
    class AtOnce(InterruptedRegression):
        interrupted_at = 0

    with pytest.raises(KeyboardInterrupt):
        trained(None, objective=AtOnce)
