import torch

from segclf.losses import cross_entropy, dice, dice_cross_entropy

LOGITS = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.randint(-1, 3, (2, 4, 4), generator=torch.Generator().manual_seed(1))
WEIGHTS = {
    "sample_weight": torch.tensor([1.0, 3.0]),
    "class_weight": torch.tensor([1.0, 2.0, 4.0]),
}


def test_is_the_sum_of_both():
    expected = dice(LOGITS, TARGET, **WEIGHTS) + cross_entropy(LOGITS, TARGET, **WEIGHTS)
    torch.testing.assert_close(dice_cross_entropy(LOGITS, TARGET, **WEIGHTS), expected)


def test_factors_and_options():
    options = {"include_background": True, "batch": False, "squared": True, "smooth": 1e-5}
    loss = dice_cross_entropy(LOGITS, TARGET, dice_factor=0.5, cross_entropy_factor=2.0, **options)
    expected = 0.5 * dice(LOGITS, TARGET, **options) + 2 * cross_entropy(LOGITS, TARGET)
    torch.testing.assert_close(loss, expected)
