import pytest
import torch
from monai.losses import TverskyLoss

from segclf.losses import dice, tversky


def random_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    return (
        logits,
        torch.randint(3, (2, 8, 8), generator=generator),
        torch.randint(2, logits.shape, generator=generator),
    )


@pytest.mark.parametrize("batch", [True, False])
def test_channels_equal_monai(batch):
    logits, _, target = random_batch()
    oracle = TverskyLoss(
        sigmoid=True, alpha=0.3, beta=0.7, batch=batch, smooth_nr=1.0, smooth_dr=1.0
    )
    torch.testing.assert_close(tversky(logits, target, batch=batch), oracle(logits, target))


@pytest.mark.parametrize("include_background", [True, False])
def test_ids_equal_monai(include_background):
    logits, target, _ = random_batch()
    oracle = TverskyLoss(
        softmax=True,
        to_onehot_y=True,
        alpha=0.9,
        beta=0.2,
        batch=True,
        include_background=include_background,
    )
    loss = tversky(
        logits, target, alpha=0.9, beta=0.2, smooth=1e-5, include_background=include_background
    )
    torch.testing.assert_close(loss, oracle(logits, target[:, None]))


def test_equal_prices_are_dice():
    logits, target, _ = random_batch()
    loss = tversky(logits, target, alpha=0.5, beta=0.5, smooth=1.0)
    torch.testing.assert_close(loss, dice(logits, target, smooth=2.0))


def test_alpha_is_the_price_of_false_positives():
    logits = torch.tensor([[[[50.0, 50.0, 50.0, -50.0]]]])
    target = torch.tensor([[[[1, 1, 0, 0]]]])
    cheap, dear = (tversky(logits, target, alpha=alpha, smooth=0) for alpha in (0.0, 1.0))
    assert cheap.item() == pytest.approx(0)
    assert dear.item() == pytest.approx(1 / 3)
