import torch
from torch import nn

from segclf.objectives import shorten_each


def parameter(gradient):
    made = nn.Parameter(torch.zeros(2))
    made.grad = None if gradient is None else torch.tensor(gradient)
    return made


def test_each_tensor_is_shortened_for_itself():
    long, short, none = parameter([30.0, 40.0]), parameter([0.3, 0.4]), parameter(None)
    shorten_each([long, short, none], 3.0)
    torch.testing.assert_close(long.grad, torch.tensor([1.8, 2.4]))
    assert short.grad.tolist() == torch.tensor([0.3, 0.4]).tolist()
    assert none.grad is None


def test_as_torch_clips_a_single_tensor():
    ours, theirs = (nn.Parameter(torch.zeros(3, 4)) for _ in range(2))
    ours.grad = torch.randn(3, 4)
    theirs.grad = ours.grad.clone()
    shorten_each([ours], 0.5)
    nn.utils.clip_grad_norm_([theirs], 0.5)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_gradient_of_zero_stays():
    zero = parameter([0.0, 0.0])
    shorten_each([zero], 3.0)
    assert zero.grad.tolist() == [0.0, 0.0]
