"""What every loss promises, by name."""

import pytest
import torch
from torch import Tensor

from segclf.losses import get_loss

NAMES = ["cross_entropy", "dice", "dice_cross_entropy", "focal", "focal_tversky", "tversky"]
pytestmark = pytest.mark.parametrize("name", NAMES)
kinds = pytest.mark.parametrize("kind", ["exclusive", "multilabel", "binary"])


def make_batch(kind: str, *, n: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random float64 logits and a target without ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    k = 1 if kind == "binary" else 3
    logits = torch.randn(n, k, 6, 5, generator=generator, dtype=torch.float64)
    shape, upper = ((n, 6, 5), 3) if kind == "exclusive" else ((n, k, 6, 5), 2)
    return logits, torch.randint(upper, shape, generator=generator)


def gradient(name: str, logits: Tensor, target: Tensor, **options: object) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    loss = get_loss(name)(logits, target, **options)
    loss.backward()
    return loss.detach(), logits.grad


@kinds
def test_ignored_pixels_equal_cutting_them_out(name, kind):
    logits, target = make_batch(kind)
    target[..., 3:] = -1
    whole, whole_gradient = gradient(name, logits, target)
    cut, cut_gradient = gradient(name, logits[..., :3], target[..., :3])
    torch.testing.assert_close(whole, cut)
    torch.testing.assert_close(whole_gradient[..., :3], cut_gradient)
    assert (whole_gradient[..., 3:] == 0).all()


@kinds
def test_weight_0_equals_leaving_the_sample_out(name, kind):
    logits, target = make_batch(kind)
    weighted = get_loss(name)(logits, target, sample_weight=torch.tensor([1, 0, 1, 0]))
    torch.testing.assert_close(weighted, get_loss(name)(logits[::2], target[::2]))


@kinds
def test_weight_2_equals_having_the_sample_twice(name, kind):
    logits, target = make_batch(kind)
    target[..., 4:] = -1
    weighted = get_loss(name)(logits, target, sample_weight=torch.tensor([1, 2, 1, 1]))
    twice = [0, 1, 1, 2, 3]
    torch.testing.assert_close(weighted, get_loss(name)(logits[twice], target[twice]))


@kinds
def test_weights_of_1_change_nothing(name, kind):
    logits, target = make_batch(kind)
    target[0, ..., 4:] = -1
    ones = {"sample_weight": torch.ones(4), "class_weight": torch.ones(logits.shape[1])}
    weighted = get_loss(name)(logits, target, **ones)
    torch.testing.assert_close(weighted, get_loss(name)(logits, target))


@kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_everything_ignored_gives_0_with_gradients_of_0(name, kind, weighted):
    logits, target = make_batch(kind)
    weights = {"sample_weight": torch.ones(4), "class_weight": torch.ones(logits.shape[1])}
    options = weights if weighted else {}
    loss, slope = gradient(name, logits.float(), torch.full_like(target, -1), **options)
    assert loss == 0
    assert (slope == 0).all()


@kinds
def test_weights_of_0_give_0_with_gradients_of_0(name, kind):
    logits, target = make_batch(kind)
    loss, slope = gradient(name, logits.float(), target, sample_weight=torch.zeros(4))
    assert loss == 0
    assert (slope == 0).all()


@kinds
def test_no_images_give_0_connected_to_the_graph(name, kind):
    logits, target = make_batch(kind, n=4)
    loss, slope = gradient(name, logits[:0], target[:0])
    assert loss == 0
    assert slope.shape == logits[:0].shape


@kinds
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("sign", [-1, 0, 1])
@pytest.mark.parametrize("scale", [30.0, 1e4])
def test_gradients_are_finite_on_empty_full_perfect_and_wrong_masks(name, kind, value, sign, scale):
    logits, target = make_batch(kind)
    target = torch.full_like(target, value)
    logits = torch.full_like(logits, sign * scale)
    if kind == "exclusive":
        logits[:, 1:] *= -1
    loss, slope = gradient(name, logits.float(), target)
    assert loss.isfinite()
    assert slope.isfinite().all()


@kinds
def test_gradcheck(name, kind):
    logits, target = make_batch(kind, n=2)
    target[..., 4:] = -1
    weights = {
        "sample_weight": torch.tensor([0.5, 2.0]),
        "class_weight": torch.arange(1.0, logits.shape[1] + 1),
    }
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: get_loss(name)(x, target, **weights), logits)
    assert torch.autograd.gradcheck(lambda x: get_loss(name)(x, target), logits)


@kinds
def test_half_precision_is_computed_in_float32(name, kind):
    logits, target = make_batch(kind)
    logits = logits.bfloat16()
    expected = get_loss(name)(logits.float(), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = get_loss(name)(logits, target)
    assert loss.dtype == torch.float32
    assert loss == expected


@kinds
def test_channels_last_gives_the_same(name, kind):
    logits, target = make_batch(kind)
    logits = logits.float()
    loss, slope = gradient(name, logits, target)
    other = logits.to(memory_format=torch.channels_last)
    last, last_slope = gradient(name, other, target)
    torch.testing.assert_close(last, loss)
    torch.testing.assert_close(last_slope, slope, check_stride=False)


@kinds
def test_arguments_stay_as_they_are(name, kind):
    logits, target = make_batch(kind)
    target[..., 4:] = -1
    target = target.to(logits)
    copies = logits.clone(), target.clone()
    get_loss(name)(logits, target, sample_weight=torch.ones(4))
    assert torch.equal(logits, copies[0])
    assert torch.equal(target, copies[1])


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.float32])
@kinds
def test_any_real_dtype_of_targets(name, kind, dtype):
    logits, target = make_batch(kind)
    target[..., 4:] = -1
    loss = get_loss(name)(logits, target.to(dtype))
    torch.testing.assert_close(loss, get_loss(name)(logits, target))


def test_better_logits_have_a_lower_loss(name):
    logits, target = make_batch("exclusive")
    truth = torch.nn.functional.one_hot(target).movedim(-1, 1)
    assert get_loss(name)(logits + truth, target) < get_loss(name)(logits, target)


def test_a_heavier_class_has_more_of_the_loss(name):
    _, target = make_batch("multilabel")
    right_but_for_last = (2.0 * target - 1) * torch.tensor([9.0, 9.0, -9.0]).view(3, 1, 1)
    light, heavy = (
        get_loss(name)(right_but_for_last, target, class_weight=torch.tensor([1.0, 1.0, weight]))
        for weight in (1.0, 8.0)
    )
    torch.testing.assert_close(heavy / light, torch.tensor(2.4), rtol=1e-2, atol=0)  # 8/10, 1/3


def test_shapes_that_do_not_fit_are_named(name):
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 4\).*\(2, 4, 4\).*got \(2, 4, 5\)"):
        get_loss(name)(torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 5).long())


def test_one_channel_cannot_be_exclusive(name):
    with pytest.raises(ValueError, match="multi-label target"):
        get_loss(name)(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4).long())


@pytest.mark.parametrize("multilabel", [False, True])
def test_labels_of_whole_images(name, multilabel):
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 2, -1, 1])
    if multilabel:
        target = torch.nn.functional.one_hot(target.clamp_min(0)).where(target[:, None] >= 0, -1)
    as_pixels = get_loss(name)(logits[..., None, None], target[..., None, None])
    torch.testing.assert_close(get_loss(name)(logits, target), as_pixels)


@pytest.mark.parametrize("multilabel", [False, True])
def test_volumes(name, multilabel):
    logits, target = make_batch("multilabel" if multilabel else "exclusive")
    volume = get_loss(name)(logits.unflatten(-2, (2, 3)), target.unflatten(-2, (2, 3)))
    torch.testing.assert_close(volume, get_loss(name)(logits, target))
