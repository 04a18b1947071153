import pytest
import torch
from monai.losses import TverskyLoss

from segclf.losses import focal_tversky, tversky


@pytest.mark.parametrize(("smooth", "expected"), [(0.0, 0.4664051), (1.0, 0.4035808)])
def test_three_true_positives_one_false_positive_two_false_negatives(smooth, expected):
    prediction = torch.tensor([1, 1, 1, 1, 0, 0, 0]).view(1, 1, 1, 7)
    truth = torch.tensor([1, 1, 1, 0, 1, 1, 0]).view(1, 1, 1, 7)
    logits = 200.0 * prediction.double() - 100
    loss = focal_tversky(logits, truth, smooth=smooth)
    assert loss.item() == pytest.approx(expected, abs=5e-8)


def test_binary_batch_equals_monai_to_the_power_of_gamma():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 8, 8, generator=generator, dtype=torch.float64)
    target = torch.randint(2, logits.shape, generator=generator)
    oracle = TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=True, smooth_nr=1, smooth_dr=1)
    expected = oracle(logits, target) ** 0.75
    torch.testing.assert_close(focal_tversky(logits, target), expected, rtol=1e-14, atol=0)


def test_gamma_1_is_tversky():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=generator)
    target = torch.randint(3, (2, 4, 4), generator=generator)
    loss = focal_tversky(logits, target, gamma=1.0)
    torch.testing.assert_close(loss, tversky(logits, target))


def test_power_is_of_each_class():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 4, 4, generator=generator)
    target = torch.randint(2, logits.shape, generator=generator)
    classes = [focal_tversky(logits[:, [j]], target[:, [j]], gamma=2) for j in range(2)]
    torch.testing.assert_close(focal_tversky(logits, target, gamma=2), sum(classes) / 2)


@pytest.mark.parametrize("smooth", [0.0, 1.0])
@pytest.mark.parametrize("value", [0, 1])
def test_gradients_are_finite_on_empty_and_perfect_masks(value, smooth):
    for size in (1e4, 30.0, 5.0):
        logits = torch.full((2, 1, 4, 4), size * (2 * value - 1), requires_grad=True)
        loss = focal_tversky(logits, torch.full((2, 1, 4, 4), value), smooth=smooth)
        loss.backward()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()


def test_a_perfect_mask_has_the_least_loss():
    logits = torch.tensor([[[[100.0, -100.0]]]])
    loss = focal_tversky(logits, torch.tensor([[[[1, 0]]]]))
    assert 0 <= loss.item() < 6e-6
