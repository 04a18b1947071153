import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from segclf.objectives import Distillation, Progress, distillation_loss
from segclf.objectives.distillation import class_scores

START = Progress(0, 0, 0.0)
MULTILABEL = {"temperature": 10.0, "multilabel": True}


def scores(*shape, seed=0):
    return 5 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("multilabel", [True, False])
def test_scores_of_zero_give_ln_2(multilabel):
    zero = torch.zeros(2, 2, 3, 3)
    loss = distillation_loss(zero, zero, temperature=10.0, multilabel=multilabel)
    torch.testing.assert_close(loss.item(), math.log(2))


def test_equals_torch():
    student, teacher = scores(2, 3, 4, 4), scores(2, 3, 4, 4, seed=1)
    expected = binary_cross_entropy_with_logits(student / 10, torch.sigmoid(teacher / 10))
    torch.testing.assert_close(distillation_loss(student, teacher, **MULTILABEL), expected)


def test_least_where_both_agree_and_then_the_entropy():
    teacher = scores(1, 3, 4, 4)
    student = teacher.clone().requires_grad_()
    loss = distillation_loss(student, teacher, **MULTILABEL)
    p = torch.sigmoid(teacher / 10)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).mean()
    torch.testing.assert_close(loss, entropy)
    loss.backward()
    torch.testing.assert_close(student.grad, torch.zeros_like(teacher), rtol=0, atol=1e-9)
    for step in (0.1, -0.1):
        assert distillation_loss(teacher + step, teacher, **MULTILABEL) > loss


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_scores_of_exclusive_classes_are_log_odds(n_classes):
    logits = scores(2, n_classes, 3, 3).double().requires_grad_()
    p = logits.softmax(dim=1)
    torch.testing.assert_close(class_scores(logits), torch.log(p / (1 - p)))
    torch.testing.assert_close(torch.sigmoid(class_scores(logits)), p)
    assert torch.autograd.gradcheck(class_scores, logits)


def test_scores_of_a_sure_teacher_are_finite():
    """Where the probability rounds to 1, log p - log(1 - p) is infinite."""
    sure = torch.tensor([200.0, 0.0, 0.0]).view(1, 3, 1, 1)
    expected = torch.tensor([200 - math.log(2), -200.0, -200.0])
    torch.testing.assert_close(class_scores(sure).flatten(), expected)


def test_exclusive_classes_do_not_feel_a_shift():
    student, teacher = scores(2, 3, 4, 4), scores(2, 3, 4, 4, seed=1)
    options = {"temperature": 10.0, "multilabel": False}
    expected = distillation_loss(student, teacher, **options)
    torch.testing.assert_close(distillation_loss(student + 7, teacher - 3, **options), expected)


def test_images_weigh_what_they_weigh():
    student, teacher = scores(3, 2, 4, 4), scores(3, 2, 4, 4, seed=1)
    each = torch.stack(
        [distillation_loss(student[[i]], teacher[[i]], **MULTILABEL) for i in range(3)]
    )
    weight = torch.tensor([1.0, 0.0, 3.0])
    loss = distillation_loss(student, teacher, **MULTILABEL, sample_weight=weight)
    torch.testing.assert_close(loss, (weight * each).sum() / 4)
    assert distillation_loss(student, teacher, **MULTILABEL, sample_weight=0 * weight) == 0


def objective(**options):
    torch.manual_seed(0)
    student, teacher = (
        nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)) for _ in range(2)
    )
    return Distillation(student, teacher, temperature=4.0, multilabel=True, **options)


def test_the_teacher_stays_as_it_is():
    learning = objective().train()
    before = {name: value.clone() for name, value in learning.teacher.state_dict().items()}
    optimizer = torch.optim.SGD(
        [each for group in learning.parameter_groups() for each in group["params"]], lr=1.0
    )
    loss = learning({"image": scores(4, 1, 8, 8)}, START)["distillation"]
    loss.backward()
    optimizer.step()
    assert all(parameter.grad is None for parameter in learning.teacher.parameters())
    for name, value in learning.teacher.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert learning.network[0].weight.grad.abs().sum() > 0
    assert learning.training
    assert not any(module.training for module in learning.teacher.modules())


def test_scaled_by_the_temperature_squared():
    batch = {"image": scores(2, 1, 4, 4)}
    plain, scaled = (objective(scale_by_temperature=scale).eval() for scale in (False, True))
    expected = 16 * plain(batch, START)["distillation"]
    torch.testing.assert_close(scaled(batch, START)["distillation"], expected)


SELECTIVE = {"temperature": 1.0, "multilabel": False}


def sure_teacher():
    """Three images of 2 x 2 pixels, and of how many the largest probability is above .65."""
    p = torch.tensor([[[0.66, 0.64], [0.5, 0.5]], [[0.3, 0.9], [0.4, 0.36]], [[0.5] * 2] * 2])
    return torch.stack([1 - p, p], dim=1).log(), torch.tensor([1, 2, 0])


def soft_cross_entropy(student, teacher):
    """Of each pixel, as in the reference: sums over classes, each once."""
    return -(teacher.softmax(1) * student.log_softmax(1)).sum(1)


def test_selective_is_the_reference_s():
    """Hooper et al. 2023: the mean over an image's kept pixels, divided by one at least."""
    teacher, n_kept = sure_teacher()
    student = scores(3, 2, 2, 2)
    losses = soft_cross_entropy(student, teacher)
    kept = teacher.softmax(1).amax(1) - 0.5 > 0.15
    assert kept.sum((1, 2)).tolist() == n_kept.tolist()
    each = (losses * kept).sum((1, 2)) / n_kept.clamp_min(1)
    loss = distillation_loss(student, teacher, **SELECTIVE, margin=0.15)
    torch.testing.assert_close(loss, each.mean())
    weight = torch.tensor([1.0, 0.5, 2.0])
    loss = distillation_loss(student, teacher, **SELECTIVE, margin=0.15, sample_weight=weight)
    torch.testing.assert_close(loss, (weight * each).sum() / 3.5)


@pytest.mark.parametrize("temperature", [1.0, 10.0])
@pytest.mark.parametrize("multilabel", [True, False])
def test_pixels_that_are_not_kept_teach_nothing(multilabel, temperature):
    student, teacher = scores(3, 3, 8, 8).requires_grad_(), scores(3, 3, 8, 8, seed=1)
    p = torch.sigmoid(teacher) if multilabel else teacher.softmax(1)
    sure = torch.maximum(p, 1 - p) if multilabel else p.amax(1, keepdim=True)
    kept = (sure > 0.9).expand_as(p)
    options = {"temperature": temperature, "multilabel": multilabel, "margin": 0.4}
    distillation_loss(student, teacher, **options).backward()
    assert 0 < kept.float().mean() < 1
    assert torch.equal(student.grad != 0, kept)


def test_a_margin_that_keeps_all_or_nothing():
    student, teacher = scores(3, 3, 4, 4), scores(3, 3, 4, 4, seed=1)
    whole = distillation_loss(student, teacher, **SELECTIVE)
    torch.testing.assert_close(distillation_loss(student, teacher, **SELECTIVE, margin=-0.5), whole)
    student.requires_grad_()
    loss = distillation_loss(student, 0 * teacher, **SELECTIVE, margin=0.0)
    loss.backward()
    assert loss == 0
    assert not student.grad.any()


@pytest.mark.parametrize("margin", [None, 0.15])
def test_labeled_pixels_replace_the_teacher(margin):
    teacher, _ = sure_teacher()
    student = scores(3, 2, 2, 2)
    mask = torch.tensor([[[-1, -1], [1, 0]], [[0, -1], [-1, -1]], [[-1, -1], [-1, -1]]])
    labeled = mask >= 0
    losses = torch.where(
        labeled,
        nn.functional.cross_entropy(student, mask.clamp_min(0), reduction="none"),
        soft_cross_entropy(student, teacher),
    )
    counted = labeled | (teacher.softmax(1).amax(1) > 0.5 + (-1 if margin is None else margin))
    each = (losses * counted).sum((1, 2)) / counted.sum((1, 2)).clamp_min(1)
    loss = distillation_loss(student, teacher, **SELECTIVE, margin=margin, mask=mask)
    torch.testing.assert_close(loss, each.mean())


def test_labeled_pixels_of_several_labels():
    student, teacher = scores(2, 3, 4, 4), scores(2, 3, 4, 4, seed=1)
    mask = torch.randint(-1, 2, (2, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    target = torch.where(mask < 0, torch.sigmoid(teacher / 10), mask.float())
    expected = binary_cross_entropy_with_logits(student / 10, target)
    torch.testing.assert_close(
        distillation_loss(student, teacher, **MULTILABEL, mask=mask), expected
    )


def test_masks_of_a_batch_count():
    learning = objective(margin=0.1).eval()
    batch = {"image": scores(2, 1, 4, 4), "mask": torch.randint(0, 2, (2, 2, 4, 4))}
    logits = learning.network(batch["image"])
    expected = binary_cross_entropy_with_logits(logits / 4, batch["mask"].float())
    torch.testing.assert_close(learning(batch, START)["distillation"], expected)


@pytest.mark.parametrize("multilabel", [False, True])
def test_several_teachers_are_one_whose_soft_targets_are_their_mean(multilabel):
    """The loss is linear in its targets, so that it is the mean of the losses by each teacher."""
    torch.manual_seed(0)
    student, teachers = torch.randn(2, 3, 4, 5), 5 * torch.randn(2, 4, 3, 4, 5)
    options = {"temperature": 2.0, "multilabel": multilabel}
    each = [distillation_loss(student, teachers[:, i], **options) for i in range(4)]
    together = distillation_loss(student, teachers, **options)
    torch.testing.assert_close(together, torch.stack(each).mean())
    alone = distillation_loss(student, teachers[:, :1], **options)
    assert torch.equal(alone, each[0])


def test_several_teachers_are_sure_together():
    """Mean probabilities of .9, .5 and .7 of the finding: a margin of .3 keeps the first."""
    given = torch.tensor([[0.9, 0.1, 0.9], [0.9, 0.9, 0.5]])
    teachers = torch.stack([torch.zeros(2, 3), given.logit()], dim=1)[None, ..., None, :]
    student = torch.zeros(1, 2, 1, 3, requires_grad=True)
    options = {"temperature": 1.0, "multilabel": False, "margin": 0.3}
    loss = distillation_loss(student, teachers, **options)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
    loss.backward()
    assert (student.grad[0, 1, 0] != 0).tolist() == [True, False, False]
