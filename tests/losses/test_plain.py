import functools

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional

from segclf import ImageClassifier, MultitaskClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy, get_loss

LOGITS = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
TARGET = torch.randint(0, 3, (4, 5, 6), generator=torch.Generator().manual_seed(1))
SOME = torch.where(torch.rand(TARGET.shape) < 0.3, -1, TARGET)
SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)


def plain(logits, target):
    return functional.cross_entropy(logits, target)


def ours(logits, target, *, sample_weight=None, class_weight=None):
    return (logits * 0).sum()


@pytest.mark.parametrize("loss", [ours, max, functools.partial(cross_entropy), lambda *a, **k: 0])
def test_what_takes_our_arguments_comes_back_as_it_is(loss):
    assert get_loss(loss) is loss


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(ignore_index=255),
        functional.cross_entropy,
    ],
)
@pytest.mark.parametrize("target", [TARGET, SOME, torch.full_like(TARGET, -1)])
def test_pixels_that_nobody_labeled_are_left_out(loss, target):
    torch.testing.assert_close(get_loss(loss)(LOGITS, target), cross_entropy(LOGITS, target))


def test_labels_of_images_that_nobody_labeled_are_left_out():
    target = torch.tensor([0, -1, 2, 1])
    logits = LOGITS[:, :, 0, 0]
    torch.testing.assert_close(get_loss(plain)(logits, target), cross_entropy(logits, target))


def test_masks_of_minus_one_are_refused_where_the_loss_cannot_leave_them_out():
    assert get_loss(plain)(LOGITS, TARGET) == plain(LOGITS, TARGET)
    for loss in (plain, smp.losses.DiceLoss("multiclass")):
        with pytest.raises(ValueError, match="cannot leave out the -1"):
            get_loss(loss)(LOGITS, SOME)
    dice = smp.losses.DiceLoss("multiclass", ignore_index=-1)
    torch.testing.assert_close(get_loss(dice)(LOGITS, SOME), dice(LOGITS, SOME))


def test_channels_are_floats():
    channels = (TARGET[:, None] == torch.arange(3)[:, None, None]).long()
    expected = functional.binary_cross_entropy_with_logits(LOGITS, channels.float())
    torch.testing.assert_close(get_loss(nn.BCEWithLogitsLoss())(LOGITS, channels), expected)


def test_half_precision_becomes_full():
    assert get_loss(nn.CrossEntropyLoss())(LOGITS.bfloat16(), SOME).dtype == torch.float32


def test_what_a_plain_loss_cannot_do_says_what_to_do():
    loss, weights = get_loss(nn.CrossEntropyLoss()), torch.ones(4)
    with pytest.raises(ValueError, match=r"CrossEntropyLoss\(\) takes no sample_weight: fit with"):
        loss(LOGITS, TARGET, sample_weight=weights)
    with pytest.raises(ValueError, match=r"takes no class_weight: .*CrossEntropyLoss\(weight="):
        loss(LOGITS, TARGET, class_weight=weights[:3])
    with pytest.raises(ValueError, match=r"shape \(4, 5, 6\); expected one number"):
        get_loss(nn.CrossEntropyLoss(reduction="none"))(LOGITS, TARGET)
    with pytest.raises(TypeError, match=r"the class CrossEntropyLoss; pass an object"):
        get_loss(nn.CrossEntropyLoss)


def test_the_loss_that_was_given_stays_as_it_is():
    given = nn.CrossEntropyLoss(weight=torch.ones(3))
    get_loss(given).double()
    assert given.weight.dtype == torch.float32


def test_estimators_learn_by_them():
    masks = [*SHAPES.masks[:5], None]
    tiny = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    own, named = (
        SupervisedSegmenter(loss=loss, **tiny).fit(SHAPES.images, masks)
        for loss in (nn.CrossEntropyLoss(), "cross_entropy")
    )
    assert own.history_["segmentation"] == pytest.approx(named.history_["segmentation"])
    ImageClassifier(loss=nn.CrossEntropyLoss(), **tiny).fit(SHAPES.images, SHAPES.target)
    MultitaskClassifier(
        mask_loss=smp.losses.DiceLoss("multiclass", ignore_index=-1), label_loss=plain, **tiny
    ).fit(SHAPES.images, SHAPES.target, masks=masks)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        ImageClassifier(loss=nn.CrossEntropyLoss(), **tiny).fit(
            SHAPES.images, SHAPES.target, [1, 2, 1, 2, 1, 2]
        )
