"""A network that fails above so many images stands for memory that is too small."""

from functools import partial

import pytest
import torch
from torch import nn

from segclf import (
    ImageClassifier,
    MAEPretrainer,
    MultitaskClassifier,
    OtsuPretrainer,
    SupervisedSegmenter,
)
from segclf.datasets import make_shapes
from segclf.isolation import seeded
from segclf.losses import dice
from segclf.networks import TinyEncoder, segmentation_network
from segclf.objectives import Distillation, Objective, Progress
from segclf.testing.small import small_estimator
from segclf.training import TrainingPlan, TrainingState, loop, train
from segclf.training.micro_batches import in_parts, total

ALLOCATOR = "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"


class Images:
    """Two batches of eight images."""

    def __init__(self):
        x = torch.rand(16, 2, 4, 4, generator=torch.Generator().manual_seed(0))
        whole = {"index": torch.arange(16), "image": x, "target": x.mean((1, 2, 3))}
        parts = zip(*(values.split(8) for values in whole.values()), strict=True)
        self.batches = [dict(zip(whole, part, strict=True)) for part in parts]

    def __len__(self):
        return len(self.batches)

    def epoch(self, epoch):
        yield from self.batches


class Mean(Objective):
    """Fits as many images as `room`, in the forward pass or in the backward one."""

    def __init__(self, room=8, *layers, error=None, backward=False, splits=True):
        super().__init__()
        with seeded(0):
            flat = nn.Sequential(nn.Flatten(), nn.Linear(32, 1))
            self.network = nn.Sequential(*layers, flat)
        self.room, self.error, self.backward, self.splits = room, error, backward, splits
        self.seen = []

    def forward(self, batch, progress):
        n_images = len(batch["image"])
        self.seen.append((n_images, self.training))
        if n_images > self.room and not self.backward:
            raise self.error or MemoryError()
        errors = self.network(batch["image"])[:, 0] - batch["target"]
        if n_images > self.room:
            errors.register_hook(self.fail)
        return {"square": errors.square().mean(), "absolute": errors.abs().mean()}

    def fail(self, gradient):
        raise self.error or MemoryError()

    def is_mean_over_images(self, batch):
        return self.splits


def trained(objective, validation=None, **changes):
    settings = {"max_epochs": 2, "learning_rate": 0.1, "optimizer": "sgd", **changes}
    plan = TrainingPlan(**settings)
    state = TrainingState(objective, plan)
    with seeded(0):
        train(objective, Images(), plan, validation, state=state)
    return state


ERRORS = {
    "python": MemoryError(),
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "torch on the CPU": RuntimeError(ALLOCATOR),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("accumulate_batches", [1, 2])
def test_parts_teach_what_the_batch_teaches(error, backward, accumulate_batches):
    changes = {"accumulate_batches": accumulate_batches}
    whole = trained(Mean(), Images(), **changes)
    small = Mean(3, error=error, backward=backward)
    with pytest.warns(
        UserWarning, match="8 images of 4x4 .* smaller batch_size or image_size"
    ) as w:
        parts = trained(small, Images(), **changes)
    assert len(w) == 1
    torch.testing.assert_close(small.network.state_dict(), whole.objective.network.state_dict())
    for ours, theirs in zip(parts.history, whole.history, strict=True):
        assert ours == pytest.approx({**theirs, "seconds": ours["seconds"]})
    assert parts.largest_part == 2
    assert parts.n_steps == whole.n_steps
    # 8 and 4 are tried once; nothing is computed again that fitted, and validation fits as well.
    n_batches = 2 * 2 + 2 * 2
    assert len(small.seen) - n_batches * 4 <= 2 * accumulate_batches


def test_where_all_fits_batches_are_whole():
    objective = Mean()
    state = trained(objective)
    assert [n for n, _ in objective.seen] == [8] * 4
    assert state.largest_part is None


def test_a_resumed_training_has_the_same_parts():
    with pytest.warns(UserWarning, match="does not fit"):
        state = trained(Mean(3))
    plan = TrainingPlan(max_epochs=3, learning_rate=0.1, optimizer="sgd")
    resumed = TrainingState(Mean(3), plan)
    resumed.load_state_dict(state.state_dict())
    assert resumed.largest_part == 2


REFUSED = {
    "batch normalization": (Mean(3, nn.BatchNorm2d(2)), "batch normalization depends on the whole"),
    "loss": (Mean(3, splits=False), "its loss is not a mean over images"),
    "one image": (Mean(0), "One image of 4x4 .* smaller image_size"),
}


@pytest.mark.filterwarnings("ignore:.*does not fit into memory. It is computed")
@pytest.mark.parametrize(("objective", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_parts_would_change_is_refused(objective, reason):
    with pytest.raises(MemoryError, match=reason) as refused:
        trained(objective)
    assert isinstance(refused.value.__cause__, MemoryError)
    assert "image_size" in str(refused.value)


def test_normalizations_that_do_not_learn_do_not_matter():
    frozen = nn.BatchNorm2d(2).eval()
    frozen.train = lambda mode=True: frozen
    with pytest.warns(UserWarning, match="computed in parts"):
        trained(Mean(3, frozen))


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"):
        trained(Mean(3, error=RuntimeError("shapes do not fit")))


def test_random_layers_go_on_from_where_they_were():
    """What a failed attempt sampled is not lost."""
    whole, failed = Mean(4, nn.Dropout(0.5)), Mean(4, nn.Dropout(0.5), backward=True)
    with pytest.warns(UserWarning, match="computed in parts"):
        trained(whole)
    with pytest.warns(UserWarning, match="computed in parts"):
        trained(failed)
    torch.testing.assert_close(
        whole.network.state_dict(), failed.network.state_dict(), rtol=0, atol=0
    )


SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
SETTINGS = {"encoder": "tiny", "max_epochs": 2, "precision": "fp32", "random_state": 0}


@pytest.fixture
def small_memory(monkeypatch):
    """Four images fit in training."""
    compute = TinyEncoder.forward

    def forward(self, image):
        if self.training and len(image) > 4:
            raise MemoryError
        return compute(self, image)

    def shrink():
        monkeypatch.setattr(TinyEncoder, "forward", forward)

    return shrink


def fits():
    yield ImageClassifier(**SETTINGS), SHAPES.target
    yield SupervisedSegmenter(loss="cross_entropy", **SETTINGS), SHAPES.masks
    yield SupervisedSegmenter(loss=partial(dice, batch=False), **SETTINGS), SHAPES.masks


@pytest.mark.filterwarnings("ignore:.*computed in parts")
def test_estimators_learn_the_same_in_parts(small_memory):
    whole = [estimator.fit(SHAPES.images, y) for estimator, y in fits()]
    small_memory()
    for (estimator, y), expected in zip(fits(), whole, strict=True):
        weights = estimator.fit(SHAPES.images, y).network_.state_dict()
        torch.testing.assert_close(weights, expected.network_.state_dict(), rtol=1e-4, atol=1e-5)


def test_a_dice_of_the_batch_says_what_to_change(small_memory):
    small_memory()
    with pytest.raises(MemoryError, match="smaller batch_size or image_size"):
        SupervisedSegmenter(**SETTINGS).fit(SHAPES.images, SHAPES.masks)


class Seen(Exception):
    pass


def first_batch(estimator, y, monkeypatch):
    """What the estimator trains, and the first batch that it is given."""
    seen = []

    def look(group, state, means):
        seen.extend([state.objective, group[0]])
        raise Seen

    monkeypatch.setattr(loop, "attempts", look)
    with pytest.raises(Seen):
        estimator.set_params(random_state=0, precision="fp32").fit(SHAPES.images, y)
    return seen


DECLARED = {
    "labels": (ImageClassifier(encoder="tiny", loss="focal"), SHAPES.target),
    "masks": (SupervisedSegmenter(encoder="tiny", loss="focal"), SHAPES.masks),
    "patches": (small_estimator(MAEPretrainer), None),
    "thresholds": (small_estimator(OtsuPretrainer).set_params(loss="cross_entropy"), None),
}


@pytest.mark.parametrize(("estimator", "y"), DECLARED.values(), ids=DECLARED)
def test_who_says_so_is_a_mean_over_images(estimator, y, monkeypatch):
    objective, batch = first_batch(estimator, y, monkeypatch)
    assert objective.is_mean_over_images(batch)
    check_mean(objective, batch)


def test_labels_and_masks_of_which_one_is_missing(monkeypatch):
    losses = {"mask_loss": "focal", "label_loss": "focal"}
    estimator = small_estimator(MultitaskClassifier).set_params(**losses)
    objective, batch = first_batch(estimator, SHAPES.target, monkeypatch)
    assert not objective.is_mean_over_images(batch)
    batch["mask"] = batch["mask"].clamp(min=0)
    assert objective.is_mean_over_images(batch)
    assert not objective.is_mean_over_images({**batch, "weight": torch.ones(6)})
    check_mean(objective, batch)


@pytest.mark.parametrize("margin", [None, 0.01])
def test_a_student_learns_of_each_image_as_much(margin):
    image = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.where(image[:, 0] < 0.3, torch.from_numpy(SHAPES.masks[:4]).long(), -1)
    with seeded(0):
        student, teacher = (segmentation_network(encoder="tiny") for _ in range(2))
    objective = Distillation(student, teacher, temperature=2.0, multilabel=False, margin=margin)
    batch = {"index": torch.arange(4), "image": image, "mask": mask}
    assert objective.is_mean_over_images(batch)
    check_mean(objective, batch)


def check_mean(objective, batch):
    def loss(part):
        return total(objective(part, Progress(0, 0, 0.0)))

    with seeded(0):
        whole = loss(batch)
    with seeded(0):
        parts = [loss(part) for part in in_parts([batch], 1)]
    torch.testing.assert_close(sum(parts) / len(parts), whole)
