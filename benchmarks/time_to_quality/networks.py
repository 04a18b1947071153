"""Code shared by the other libraries: the same encoder and weights, batches, predictions."""

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from benchmarks.time_to_quality.watch import Predict, highest
from segclf.networks import classification_network

ENCODER, MEAN, STD = "tf_efficientnet_lite0", 0.5, 0.5  # pixels as this encoder knows them


def encoder_weights() -> dict[str, Tensor]:
    """Return ImageNet's weights of the encoder, by timm's names."""
    network = classification_network(
        encoder=ENCODER, encoder_weights="imagenet", in_channels=3, n_classes=2
    )
    return dict(network.encoder.state_dict())


def load_encoder(module: nn.Module) -> nn.Module:
    """Load the weights into a timm model of the encoder; refuse to leave anything random."""
    weights = {k: v for k, v in encoder_weights().items() if k in module.state_dict()}
    missing = module.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise RuntimeError(f"No weights for {missing[:3]}... of {ENCODER}.")
    return module


def smp_unet() -> nn.Module:
    model = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, classes=1)
    load_encoder(model.encoder.model)
    return model


def to_tensor(images: Sequence[np.ndarray], size: int) -> Tensor:
    """Return images (n, 3, size, size) as the encoder knows them."""
    resized = np.stack([cv2.resize(image, (size, size)) for image in images])
    scaled = (resized.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous()


def masks_to_tensor(masks: Sequence[np.ndarray | None], size: int) -> Tensor:
    """Return masks (n, 1, size, size) of 0 and 1."""
    resized = [
        np.zeros((size, size), np.uint8)
        if mask is None
        else cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
        for mask in masks
    ]
    return torch.from_numpy(np.stack(resized)[:, None]).float()


def batches(n: int, batch_size: int) -> Iterator[Tensor]:
    """Shuffle forever; leave out what does not fill a batch."""
    while True:
        order = torch.randperm(n)
        yield from order[: n - n % batch_size].split(batch_size)


def flipped(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Flip a batch left and right, and top and bottom, each image by chance."""
    for axis in (-1, -2):
        chosen = torch.rand(len(image)) < 0.5
        image = torch.where(chosen[:, None, None, None], image.flip(axis), image)
        mask = torch.where(chosen[:, None, None, None], mask.flip(axis), mask)
    return image, mask


def predictor(model: nn.Module, size: int, activate: Callable[[Tensor], Tensor]) -> Predict:
    """Return what predicts with a network; `activate` gives probabilities (n, h, w)."""

    @torch.no_grad()
    def predict(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        training = model.training
        model.eval()
        parts = [images[i : i + 16] for i in range(0, len(images), 16)]
        maps = np.concatenate([activate(model(to_tensor(part, size))).numpy() for part in parts])
        model.train(training)
        return highest(maps), maps

    return predict
