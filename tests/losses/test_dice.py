import pytest
import torch
from monai.losses import DiceLoss

from segclf.losses import dice


def random_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    return (
        logits,
        torch.randint(3, (2, 8, 8), generator=generator),
        torch.randint(2, logits.shape, generator=generator),
    )


@pytest.mark.parametrize("batch", [True, False])
def test_chexseg_equals_monai(batch):
    logits, _, target = random_batch()
    oracle = DiceLoss(sigmoid=True, batch=batch, smooth_nr=1, smooth_dr=1)
    torch.testing.assert_close(dice(logits, target, batch=batch), oracle(logits, target))


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("include_background", [True, False])
def test_cross_teaching_equals_monai(batch, include_background):
    logits, target, _ = random_batch()
    oracle = DiceLoss(
        softmax=True,
        to_onehot_y=True,
        squared_pred=True,
        include_background=include_background,
        batch=batch,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
    )
    loss = dice(
        logits,
        target,
        squared=True,
        smooth=1e-5,
        include_background=include_background,
        batch=batch,
    )
    torch.testing.assert_close(loss, oracle(logits, target[:, None]))


def test_background_is_left_out_of_ids_by_default():
    logits, target, _ = random_batch()
    loss = dice(logits, target)
    torch.testing.assert_close(loss, dice(logits, target, include_background=False))
    assert loss != dice(logits, target, include_background=True)


def test_classes_of_weight_0_are_left_out():
    logits, _, target = random_batch()
    loss = dice(logits, target, class_weight=torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(loss, dice(logits[:, ::2], target[:, ::2]))


def test_weight_of_background_counts_only_with_it():
    logits, target, _ = random_batch()
    weight = torch.tensor([5.0, 1.0, 1.0])
    torch.testing.assert_close(dice(logits, target, class_weight=weight), dice(logits, target))
    assert dice(logits, target, class_weight=weight, include_background=True) != dice(
        logits, target, include_background=True
    )


def test_sample_weight_multiplies_the_sums_of_a_batch():
    logits = torch.tensor([20.0, -20.0]).view(2, 1, 1, 1).expand(2, 1, 1, 4).double()
    target = torch.ones(2, 1, 1, 4)
    loss = dice(logits, target, sample_weight=torch.tensor([3.0, 1.0]), smooth=0)
    assert loss.item() == pytest.approx(1 - 2 * 12 / (12 + 16))


def test_sample_weight_weighs_the_mean_of_images():
    logits = torch.tensor([20.0, -20.0]).view(2, 1, 1, 1).expand(2, 1, 1, 4).double()
    target = torch.ones(2, 1, 1, 4)
    options = {"batch": False, "smooth": 0}
    loss = dice(logits, target, sample_weight=torch.tensor([3.0, 1.0]), **options)
    assert loss.item() == pytest.approx(0.25)


def test_an_absent_class_pushes_its_prediction_to_0():
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    loss = dice(logits, torch.zeros(1, 1, 2, 2))
    loss.backward()
    assert loss.item() == pytest.approx(2 / 3)
    assert (logits.grad > 0).all()


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_nothing_there_and_nothing_predicted_is_0(smooth):
    logits = torch.full((1, 1, 2, 2), -1e4, requires_grad=True)
    loss = dice(logits, torch.zeros(1, 1, 2, 2), smooth=smooth)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.isfinite().all()


def test_images_that_nobody_labeled_leave_the_mean():
    logits, target, _ = random_batch()
    target[1] = -1
    loss = dice(logits, target, batch=False)
    torch.testing.assert_close(loss, dice(logits[:1], target[:1], batch=False))
