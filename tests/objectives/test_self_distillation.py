import math

import pytest
import torch
from lightly.loss import DINOLoss

from segclf.objectives import self_distillation_loss

TEMPERATURES = {"student_temperature": 0.1, "teacher_temperature": 0.04}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("k", [64, 4096, 65536])
def test_equal_scores_give_ln_k(k):
    student, teacher = torch.full((3, 2, k), 0.7), torch.full((2, 2, k), -0.2)
    loss = self_distillation_loss(student, teacher, center=torch.zeros(k), **TEMPERATURES)
    assert loss.item() == pytest.approx(math.log(k), rel=1e-5)


def test_equal_scores_of_the_student_give_ln_k_whatever_the_teacher_says():
    teacher, center = torch.randn(2, 5, 64), torch.randn(64)
    loss = self_distillation_loss(torch.zeros(4, 5, 64), teacher, center=center, **TEMPERATURES)
    assert loss.item() == pytest.approx(math.log(64), rel=1e-5)


@pytest.mark.parametrize("n_views", [2, 5])
def test_lightlys_loss_and_gradient(n_views):
    student = torch.randn(n_views, 3, 32, requires_grad=True)
    teacher, center = torch.randn(2, 3, 32), torch.randn(32)
    theirs = DINOLoss(32, teacher_temp=0.04, student_temp=0.1)
    theirs.center.copy_(center)
    expected = theirs(list(teacher), list(student))
    loss = self_distillation_loss(student, teacher, center=center, **TEMPERATURES)
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(each, student)[0] for each in (loss, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("same_views", "pairs"),
    [(True, [(0, 1), (1, 0), (0, 2), (1, 2)]), (False, [(t, s) for t in (0, 1) for s in range(3)])],
)
def test_mean_over_all_pairs_but_a_view_with_itself(same_views, pairs):
    student, teacher, center = torch.randn(3, 4, 8), torch.randn(2, 4, 8), torch.randn(8)
    expected = torch.stack(
        [
            -(((teacher[t] - center) / 0.04).softmax(1) * (student[s] / 0.1).log_softmax(1)).sum(1)
            for t, s in pairs
        ]
    ).mean()
    loss = self_distillation_loss(
        student, teacher, center=center, same_views=same_views, **TEMPERATURES
    )
    torch.testing.assert_close(loss, expected)


def test_no_gradient_reaches_the_teacher():
    student, teacher = (torch.randn(2, 3, 8, requires_grad=True) for _ in range(2))
    self_distillation_loss(student, teacher, center=torch.zeros(8), **TEMPERATURES).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_single_precision_whatever_the_scores_are():
    student, teacher, center = torch.randn(3, 4, 8), torch.randn(2, 4, 8), torch.randn(8)
    student, teacher = student.bfloat16(), teacher.bfloat16()
    loss = self_distillation_loss(student, teacher, center=center, **TEMPERATURES)
    expected = self_distillation_loss(
        student.float(), teacher.float(), center=center, **TEMPERATURES
    )
    assert loss.dtype == torch.float32
    assert loss == expected
