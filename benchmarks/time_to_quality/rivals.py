"""The usual scripts with segmentation-models-pytorch, MONAI and fastai, as in their tutorials."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn

from benchmarks.time_to_quality.networks import (
    ENCODER,
    batches,
    flipped,
    load_encoder,
    masks_to_tensor,
    predictor,
    smp_unet,
    to_tensor,
)
from benchmarks.time_to_quality.watch import Watch

SIZE, BATCH = 224, 8
Images = Sequence[np.ndarray]
Masks = Sequence[np.ndarray | None]


def train_smp(images: Images, masks: Masks, labels: np.ndarray, watch: Watch) -> None:
    """U-Net on the same encoder and weights, all fine-tuned: Dice, Adam at 1e-4, flips."""
    model = smp_unet()
    loss = smp.losses.DiceLoss("binary")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    predict = predictor(model, SIZE, lambda logits: logits.sigmoid()[:, 0])
    X, y = to_tensor(images, SIZE), masks_to_tensor(masks, SIZE)
    model.train()
    for rows in batches(len(X), BATCH):
        image, mask = flipped(X[rows], y[rows])
        optimizer.zero_grad()
        loss(model(image), mask).backward()
        optimizer.step()
        if watch(predict):
            return


def train_monai(images: Images, masks: Masks, labels: np.ndarray, watch: Watch) -> None:
    """UNet of MONAI's 2D tutorials: Dice, Adam at 1e-3, flips, quarter turns; from scratch.

    Its FlexibleUNet has other encoders, whose weights are a download.
    """
    from monai.losses import DiceLoss
    from monai.networks.nets import UNet
    from monai.transforms import Compose, RandFlipd, RandRotate90d

    widths, strides = (16, 32, 64, 128, 256), (2, 2, 2, 2)
    model = UNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=1,
        channels=widths,
        strides=strides,
        num_res_units=2,
    )
    loss, optimizer = DiceLoss(sigmoid=True), torch.optim.Adam(model.parameters(), lr=1e-3)
    keys = ["image", "mask"]
    augment = Compose(
        [RandFlipd(keys, prob=0.5, spatial_axis=0), RandRotate90d(keys, prob=0.5)]
    ).set_random_state(torch.initial_seed() % 2**31)
    predict = predictor(model, SIZE, lambda logits: logits.sigmoid()[:, 0])
    X, y = to_tensor(images, SIZE), masks_to_tensor(masks, SIZE)
    model.train()
    for rows in batches(len(X), BATCH):
        items = [augment({"image": X[row], "mask": y[row]}) for row in rows]
        image, mask = (torch.stack([item[key] for item in items]) for key in keys)
        optimizer.zero_grad()
        loss(model(image), mask).backward()
        optimizer.step()
        if watch(predict):
            return


def train_fastai(images: Images, masks: Masks, labels: np.ndarray, watch: Watch) -> None:
    """DynamicUnet as `unet_learner` makes it, on the same encoder: `fine_tune` for 8 epochs.

    That is one epoch with the encoder frozen, then one cycle with smaller rates for the encoder;
    cross-entropy, Adam with weight decay, `aug_transforms`. `unet_learner` itself cannot be given
    weights from a file.
    """
    from fastai.callback.core import CancelFitException
    from fastai.callback.schedule import Learner
    from fastai.losses import CrossEntropyLossFlat
    from fastai.torch_core import apply_init, params
    from fastai.vision.models.unet import DynamicUnet

    body = fastai_body()
    model = DynamicUnet(body, 2, (SIZE, SIZE))
    apply_init(model[2:], nn.init.kaiming_normal_)
    predict = predictor(model, SIZE, lambda logits: torch.as_tensor(logits).softmax(1)[:, 1])
    learner = Learner(
        fastai_batches(images, masks),
        model,
        loss_func=CrossEntropyLossFlat(axis=1),
        splitter=lambda m: [params(m[0]), params(m[1:])],
        wd=1e-2,
        train_bn=True,
    )
    learner.add_cb(_watching(watch, predict, CancelFitException))
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(8)
    if not watch.enough:
        watch.look(predict)


def fastai_body() -> nn.Sequential:
    """Return the encoder as a row of stages, whose sizes the decoder finds."""
    encoder = load_encoder(timm.create_model(ENCODER, num_classes=0))
    return nn.Sequential(encoder.conv_stem, encoder.bn1, *encoder.blocks)


def fastai_batches(images: Images, masks: Masks) -> Any:
    from fastai.data.block import DataBlock
    from fastai.data.transforms import IndexSplitter, Normalize
    from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
    from fastai.vision.core import PILImage, PILMask
    from fastai.vision.data import ImageBlock, MaskBlock

    empty = [np.zeros(image.shape[:2], np.uint8) for image in images]
    y = [none if mask is None else mask for mask, none in zip(masks, empty, strict=True)]
    block = DataBlock(
        blocks=(ImageBlock, MaskBlock(codes=["background", "finding"])),
        get_x=lambda row: PILImage.create(images[row]),
        get_y=lambda row: PILMask.create(y[row]),
        splitter=IndexSplitter([]),
        item_tfms=Resize(SIZE, method=ResizeMethod.Squish),
        batch_tfms=[
            *aug_transforms(),
            Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False),
        ],
    )
    return block.dataloaders(range(len(images)), bs=BATCH, num_workers=0, device="cpu")


def _watching(watch: Watch, predict: Any, stop: type[Exception]) -> Any:
    from fastai.callback.core import Callback, CancelValidException

    class Watching(Callback):
        """Test in training, and end it where it is enough."""

        def after_batch(self) -> None:
            if self.training and watch(predict):
                raise stop

        def before_validate(self) -> None:
            raise CancelValidException

    return Watching()
