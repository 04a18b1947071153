"""The mean of the weights after each of the last steps is what is kept, and what is validated."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from segclf import BYOLPretrainer, DINOPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.networks import segmentation_network
from segclf.objectives import Objective
from segclf.testing.small import small_estimator
from segclf.training import TrainingPlan, TrainingState, train
from segclf.training.averaging import AveragedWeights


class Line:
    """Three batches of a line's points."""

    def __init__(self, slope=2.0):
        x = torch.linspace(-1, 1, 12).reshape(3, 4, 1)
        self.batches = [{"index": torch.arange(4), "x": part, "y": slope * part} for part in x]

    def __len__(self):
        return 3

    def epoch(self, epoch):
        yield from self.batches


class Regression(Objective):
    """With running statistics in the network, and a part beside it."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
        nn.init.zeros_(self.network[1].weight)
        self.beside = nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, batch, progress):
        error = self.network(batch["x"]) + self.beside - batch["y"]
        return {"square": error.square().mean()}

    def after_update(self, progress):
        self.seen.append(copy.deepcopy(self.state_dict()))


def plan(**changes):
    return TrainingPlan(**{"max_epochs": 4, "learning_rate": 0.1, "optimizer": "sgd", **changes})


def trained(how, validation=None):
    torch.manual_seed(0)
    objective = Regression()
    state = TrainingState(objective, how)
    history = train(objective, Line(), how, validation, state=state)
    return objective, state, history


@pytest.mark.parametrize(("share", "n_last"), [(0.25, 3), (0.5, 6), (0.99, 12), (0.02, 1)])
def test_it_is_the_mean_over_the_last_steps(share, n_last):
    objective, _, _ = trained(plan(average_weights=share))
    plain, _, _ = trained(plan())
    last = plain.seen[-n_last:]
    found = objective.state_dict()
    for name in ("network.0.running_mean", "network.0.weight", "network.1.weight"):
        expected = torch.stack([each[name] for each in last]).mean(0)
        torch.testing.assert_close(found[name], expected)
    for name in ("network.0.num_batches_tracked", "beside"):
        assert torch.equal(found[name], plain.seen[-1][name])
    if n_last > 1:
        assert not torch.equal(found["network.1.weight"], plain.seen[-1]["network.1.weight"])


def test_training_itself_goes_on_unchanged():
    averaged, _, _ = trained(plan(average_weights=0.5), Line(1.0))
    plain, _, _ = trained(plan(), Line(1.0))
    for one, other in zip(averaged.seen, plain.seen, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_validated_is_what_would_be_kept():
    objective, _, history = trained(plan(average_weights=0.5), Line(1.0))
    objective.eval()
    losses = [objective(batch, None)["square"].item() for batch in Line(1.0).epoch(0)]
    assert history[-1]["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-6)
    plain = trained(plan(), Line(1.0))[2]
    same = [
        a["validation_loss"] == b["validation_loss"] for a, b in zip(history, plain, strict=True)
    ]
    assert same == [True, True, False, False]


def test_the_best_epoch_is_kept_as_it_was_validated():
    """Validation wants slope 1, training goes on to 2: the best epoch is not the last."""
    how = plan(max_epochs=20, learning_rate=0.1, average_weights=0.99, n_iter_no_change=2)
    objective, state, history = trained(how, Line(1.0))
    losses = [row["validation_loss"] for row in history]
    best = losses.index(min(losses))
    assert state.termination == "n_iter_no_change"
    objective.eval()
    kept = [objective(batch, None)["square"].item() for batch in Line(1.0).epoch(0)]
    assert losses[best] == pytest.approx(np.mean(kept), rel=1e-6)
    first = 3 * 20 - round(0.99 * 3 * 20)
    seen = [each["network.1.weight"] for each in objective.seen[first : 3 * (best + 1)]]
    torch.testing.assert_close(objective.network[1].weight.data, torch.stack(seen).mean(0))


def test_training_that_ends_before_keeps_its_last_weights():
    how = plan(max_epochs=100, average_weights=0.1, after_epoch=lambda row: row["epoch"] == 1)
    objective, _, _ = trained(how)
    assert torch.equal(objective.network[1].weight, objective.seen[-1]["network.1.weight"])


@pytest.mark.parametrize("stop_after", [1, 2, 3])
@pytest.mark.parametrize("patience", [None, 2])
def test_training_goes_on_with_the_same_bits(stop_after, patience):
    changes = {"average_weights": 0.6, "n_iter_no_change": patience, "optimizer": "adam"}
    expected, _, history = trained(plan(**changes), Line(1.0))
    stored = {}
    torch.manual_seed(0)
    objective = Regression()

    def after_epoch(row):
        stored.update(copy.deepcopy(first.state_dict()))
        return row["epoch"] + 1 == stop_after

    how = plan(**changes, after_epoch=after_epoch)
    first = TrainingState(objective, how)
    train(objective, Line(), how, Line(1.0), state=first)
    again = TrainingState(Regression(), plan(**changes))
    again.load_state_dict(stored)
    later = train(again.objective, Line(), plan(**changes), Line(1.0), state=again)
    assert [row["validation_loss"] for row in later] == [row["validation_loss"] for row in history]
    found = again.objective.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.state_dict().items())


class Held(Objective):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, batch, progress):
        raise NotImplementedError


def test_a_frozen_encoder_costs_nothing():
    network = segmentation_network(encoder="resnet18", in_channels=3, n_classes=2)
    average = AveragedWeights(Held(network.set_encoder_rate(0)))
    average.add()
    names = average.state_dict()["means"]
    assert not any(name.startswith("encoder.") for name in names)
    assert any(name.startswith("decoder.") for name in names)


SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
SMALL = {
    "encoder": "tiny",
    "max_epochs": 4,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": "constant",
    "weight_decay": 0,
    "random_state": 0,
}


def test_an_estimator_averages():
    plain, averaged = (
        SupervisedSegmenter(**SMALL, average_weights=share, batch_size=4).fit(
            SHAPES.images, SHAPES.masks
        )
        for share in (0.0, 0.5)
    )
    assert plain.history_["loss"].tolist() == averaged.history_["loss"].tolist()
    one, other = (each.predict_proba(SHAPES.images) for each in (plain, averaged))
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(one, other, atol=0.2)


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", [BYOLPretrainer, DINOPretrainer])
def test_methods_with_momentum_copies_learn_as_without(kind):
    """What follows the network, or is followed by it, follows its own weights and not the mean."""
    fits = [
        small_estimator(kind)
        .set_params(**SMALL, average_weights=share, batch_size=4)
        .fit(SHAPES.images)
        for share in (0.0, 0.5)
    ]
    assert fits[0].history_["loss"].tolist() == fits[1].history_["loss"].tolist()
    one, other = (each.transform(SHAPES.images) for each in fits)
    assert not np.array_equal(one, other)
    assert np.isfinite(other).all()
