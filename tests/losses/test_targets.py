import torch

from segclf.losses.targets import (
    compared,
    entry_weights,
    full_precision,
    is_exclusive,
    weighted_mean,
)


def test_kinds_are_recognized_by_shape():
    logits = torch.zeros(2, 3, 4, 4)
    assert is_exclusive(logits, torch.zeros(2, 4, 4))
    assert not is_exclusive(logits, torch.zeros(2, 3, 4, 4))


def test_precision():
    for given, computed in [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ]:
        assert full_precision(torch.zeros(1, dtype=given)).dtype == computed


def test_entry_weights_of_ids():
    weights = entry_weights(
        torch.zeros(2, 3, 2),
        torch.tensor([[0, -1], [2, 1]]),
        torch.tensor([1.0, 10.0]),
        torch.tensor([1.0, 2.0, 3.0]),
    )
    assert weights.tolist() == [[1, 0], [30, 20]]


def test_entry_weights_of_channels():
    weights = entry_weights(
        torch.zeros(2, 2), torch.tensor([[0, 1], [-1, 0]]), None, torch.tensor([2.0, 5.0])
    )
    assert weights.tolist() == [[2, 5], [0, 5]]


def test_weighted_mean():
    values, weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[3.0], [1.0]])
    assert weighted_mean(values, weights).item() == (3 * 1 + 3 * 2 + 3 + 4) / 8
    assert weighted_mean(values, weights * 0).item() == 0


def test_comparisons_leave_the_target_alone():
    target = torch.tensor([-1.0, 0.0, 2.0])
    assert compared(target, target, torch.Tensor.ge_).tolist() == [0, 1, 1]
    assert compared(target, target, torch.Tensor.gt_).tolist() == [0, 0, 1]
    assert target.tolist() == [-1, 0, 2]
