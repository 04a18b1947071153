import math

import pytest
import torch
from torch import nn

from segclf.networks import follow, follow_buffers, momentum_copy, rising_momentum


def test_a_copy_is_equal_and_does_not_train():
    student = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    teacher = momentum_copy(student)
    for ours, theirs in zip(
        teacher.state_dict().items(), student.state_dict().items(), strict=True
    ):
        assert ours[0] == theirs[0]
        assert torch.equal(ours[1], theirs[1])
        assert ours[1].data_ptr() != theirs[1].data_ptr()
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_three_steps_by_hand():
    """Teacher 1, student 0, 0, 4: 1 -> .9 -> .81 -> .9 * .81 + .1 * 4."""
    student = nn.Linear(1, 1, bias=False)
    nn.init.ones_(student.weight)
    teacher = momentum_copy(student)
    seen = []
    for value in (0.0, 0.0, 4.0):
        nn.init.constant_(student.weight, value)
        follow(teacher, student, 0.9)
        seen.append(teacher.weight.item())
    assert seen == pytest.approx([0.9, 0.81, 1.129])
    assert student.weight.item() == 4


@pytest.mark.parametrize(("momentum", "expected"), [(0.0, 2.0), (1.0, 5.0)])
def test_limits_are_exact(momentum, expected):
    student, teacher = nn.Linear(3, 3), nn.Linear(3, 3)
    for module, value in ((student, 2.0), (teacher, 5.0)):
        for parameter in module.parameters():
            nn.init.constant_(parameter, value)
    follow(teacher, student, momentum)
    assert all((parameter == expected).all() for parameter in teacher.parameters())


def test_statistics_are_the_teachers_own():
    student = nn.BatchNorm1d(2)
    teacher = momentum_copy(student)
    student(torch.randn(8, 2) + 5)
    follow(teacher, student, 0.5)
    assert torch.equal(teacher.running_mean, torch.zeros(2))


def test_no_graph_is_left_behind():
    student = nn.Linear(2, 2)
    teacher = momentum_copy(student)
    follow(teacher, student, 0.5)
    assert teacher.weight.grad_fn is None
    teacher(torch.ones(1, 2)).sum()
    assert not teacher(torch.ones(1, 2)).requires_grad


def test_momentum_rises_to_one():
    """1 - (1 - .996) (cos(pi t) + 1) / 2 of BYOL, section 3.3."""
    by_hand = 1 - 0.004 * (math.sqrt(0.5) + 1) / 2
    assert rising_momentum(0.996, 0.25) == pytest.approx(by_hand, abs=1e-12)
    values = [rising_momentum(0.996, step / 100) for step in range(101)]
    assert values[0] == pytest.approx(0.996)
    assert values[-1] == 1
    assert values == sorted(values)


def test_buffers_follow_by_hand_and_counters_are_taken_over():
    student = nn.BatchNorm1d(2)
    teacher = momentum_copy(student)
    student.running_mean.fill_(4.0)
    student.num_batches_tracked.fill_(7)
    follow_buffers(teacher, student, 0.75)
    assert teacher.running_mean.tolist() == [1.0, 1.0]
    assert teacher.num_batches_tracked == 7
