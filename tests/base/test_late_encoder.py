"""Linear probe, then fine-tune: an encoder that is frozen for a share of training."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.base import clone

from segclf import ImageClassifier, MultitaskClassifier, SupervisedSegmenter, load, save
from segclf.base import fine_tuned, network_estimator
from segclf.data import Augmentation
from segclf.datasets import make_shapes
from segclf.training import TrainingState, loop, train

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks


@pytest.fixture
def steps(monkeypatch):
    """The state of the encoder, and the rates, as they are after each step."""
    seen = []
    update = loop._update

    def watched(plan, state, progress):
        update(plan, state, progress)
        network = state.objective.network
        seen.append(
            {
                "weights": copy.deepcopy(network.encoder.state_dict()),
                "rates": {g["base_rate"]: g["lr"] for g in state.optimizer.param_groups},
                "training": network.encoder.training,
                "turns": network.turns,
            }
        )

    monkeypatch.setattr(loop, "_update", watched)
    return seen


SETTINGS = {
    "encoder": "tiny",
    "encoder_rate": 0.5,
    "encoder_start": 0.5,
    "batch_size": 4,
    "max_epochs": 4,
    "learning_rate": 1e-2,
    "random_state": 0,
    "optimizer": "adam",
    "schedule": "constant",
    "weight_decay": 0,
}


def segmenter(**changes):
    return SupervisedSegmenter(**{**SETTINGS, "architecture": "unet", **changes})


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(("start", "n_frozen"), [(0.5, 4), (0.4, 3), (0.9, 7)])
def test_it_is_frozen_and_then_learns(start, n_frozen, encoded, steps):
    """Within an epoch too. The first step that it may learn in has a rate of 0."""
    segmenter(encoder_start=start).fit(X, MASKS)
    assert [step["training"] for step in steps] == [False] * n_frozen + [True] * (8 - n_frozen)
    first = steps[0]["weights"]
    assert all(same(step["weights"], first) for step in steps[:n_frozen])
    assert same(steps[-1]["weights"], first) == (start == 0.9)
    assert sum(encoded) == 8 + 4 * (8 - n_frozen)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_that_wait_do_not_decay(optimizer, steps):
    segmenter(optimizer=optimizer, weight_decay=0.5, schedule="one_cycle").fit(X, MASKS)
    weights = [step["weights"] for step in steps]
    assert all(same(each, weights[0]) for each in weights[:4])
    assert not same(weights[-1], weights[0])


def test_the_rate_rises_over_a_tenth_of_what_is_left(steps):
    segmenter(max_steps=40, max_epochs=1).fit(X, MASKS)
    rates = [step["rates"][0.5 * 1e-2] / (0.5 * 1e-2) for step in steps]
    assert rates[:21] == [0.0] * 21
    np.testing.assert_allclose(rates[21:], [0.5, *[1.0] * 18])
    assert {step["rates"][1e-2] for step in steps} == {1e-2}


def test_the_frozen_part_is_that_of_a_frozen_encoder():
    """With flips, which act on maps first and on images then."""
    late, frozen = (
        segmenter(encoder_rate=rate, augmentation="flips").fit(X, MASKS) for rate in (0.5, 0.0)
    )
    losses = [each.history_["loss"].tolist() for each in (late, frozen)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2:] != losses[1][2:]


def test_flips_act_on_maps_and_then_on_images(steps, monkeypatch):
    flipped = []
    call = fine_tuned._OnceEncodersLearn.__call__

    def watched(self, image, mask, generator):
        given = image.clone()
        image, mask = call(self, image, mask, generator)
        flipped.append(torch.equal(image, given.flip(3)))
        return image, mask

    monkeypatch.setattr(fine_tuned._OnceEncodersLearn, "__call__", watched)
    turns = Augmentation(horizontal_flip=1.0)
    fitted = segmenter(augmentation=turns, validation_fraction=0.25).fit(X, MASKS)
    assert flipped[-8:] == [False] * 4 + [True] * 4
    assert [step["turns"] for step in steps] == [turns] * 4 + [None] * 4
    assert fitted.network_.turns is None


def test_layers_have_rates_of_their_own(steps):
    segmenter(layer_decay=0.1, max_steps=20).fit(X, MASKS)
    found = sorted(steps[-1]["rates"].items())
    np.testing.assert_allclose(found, [[r, r] for r in (5e-5, 5e-4, 5e-3, 1e-2)])


def test_batch_statistics_rest_as_long(steps):
    segmenter(encoder="resnet18", max_epochs=2, encoder_start=0.5).fit(X, MASKS)
    tracked = [int(step["weights"]["bn1.num_batches_tracked"]) for step in steps]
    assert tracked == [0, 0, 1, 2]


def test_it_goes_on_with_the_same_bits(monkeypatch):
    """From the end of each epoch, before and after its start; with all options of the loop."""
    compared = []

    def train_both_ways(objective, batches, plan, validation=None, *, state, checkpoint=None):
        stored = []

        def after_epoch(row):
            stored.append(copy.deepcopy(state.state_dict()))

        networks = list(fine_tuned._image_networks(objective))
        before = [(each, each.turns, each.encoder.__dict__["forward"]) for each in networks]
        plan = dataclasses.replace(plan, after_epoch=after_epoch)
        history = train(objective, batches, plan, validation, state=state)
        end = copy.deepcopy(objective.state_dict())
        for dictionary in stored[:3]:
            for network, turns, lookup in before:
                network.set_encoder_rate(0.5, start=0.4, layer_decay=0.5).turns = turns
                network.encoder.__dict__["forward"] = lookup
            again = TrainingState(objective, plan)
            again.load_state_dict(dictionary)
            train(objective, batches, plan, validation, state=again)
            assert same(objective.state_dict(), end)
            compared.append(True)
        return history

    monkeypatch.setattr(network_estimator, "train", train_both_ways)
    segmenter(
        encoder_start=0.4,
        layer_decay=0.5,
        augmentation="flips",
        validation_fraction=0.25,
        average_weights=0.8,
        accumulate_batches=2,
        batch_size=2,
        clip_gradients=1.0,
    ).fit(X, MASKS)
    assert len(compared) == 3


def test_an_encoder_that_never_learns_has_no_start(encoded):
    fitted = segmenter(encoder_rate=0).fit(X, MASKS)
    assert sum(encoded) == 8
    plain = segmenter(encoder_rate=0, encoder_start=0.0).fit(X, MASKS)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("kind", [ImageClassifier, MultitaskClassifier])
def test_classifiers_have_it_too(kind, encoded, tmp_path):
    made = kind(**SETTINGS, augmentation="flips", layer_decay=0.5, average_weights=0.3)
    fitted = clone(made).fit(X, Y, **({} if kind is ImageClassifier else {"masks": MASKS}))
    assert sum(encoded) == 1 + 8 + 4 * 4  # one blank image, to see which layer is where
    save(fitted, tmp_path / "fitted")
    again = load(tmp_path / "fitted")
    assert (again.encoder_start, again.layer_decay) == (0.5, 0.5)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("changes", [{"encoder_start": 1.0}, {"layer_decay": 0.0}])
def test_nonsense(changes):
    with pytest.raises(ValueError, match=f"'{next(iter(changes))}' parameter"):
        segmenter(**changes).fit(X, MASKS)
