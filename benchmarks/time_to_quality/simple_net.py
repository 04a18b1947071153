"""A rival like SuperSimpleNet: a frozen encoder, a head for the mask, a head for the label.

Written anew from the description in Rolih, Fučka, Skočaj: "SuperSimpleNet: unifying unsupervised
and supervised learning for fast and reliable surface defect detection", ICPR 2024. As there: maps
of the middle (strides 8 and 16) at stride 4 and averaged over 3 x 3, a linear adaptor; each batch
twice, with noise of deviation .015 added to the features in random blobs outside of true defects,
which count as defects (half of the images have none); truncated L1 and focal loss, AdamW at 1e-4
(adaptor) and 2e-4 (heads), gradients no longer than 1, batches of 32, flips, 256 x 256. Other than
there: the encoder of everybody here in place of WideResNet-50, whose maps are a tenth as wide, and
256 channels in the mask's head in place of 1,024; low-pass noise in place of Perlin's; a defect
covers each place that it touches; no weights by distance to a defect, no blur, a constant rate.
"""

from collections.abc import Sequence

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.time_to_quality.networks import (
    ENCODER,
    batches,
    flipped,
    load_encoder,
    masks_to_tensor,
    to_tensor,
)
from benchmarks.time_to_quality.watch import Predict, Watch

SIZE, BATCH, NOISE, MARGIN = 256, 32, 0.015, 0.5


class SimpleNet(nn.Module):
    """The network; `forward` gives logits of the map (n, 1, h, w) and of the label (n,)."""

    def __init__(self) -> None:
        super().__init__()
        encoder = timm.create_model(ENCODER, features_only=True, out_indices=(2, 3))
        self.encoder = load_encoder(encoder).requires_grad_(False).eval()
        width = sum(encoder.feature_info.channels())
        self.adaptor = nn.Conv2d(width, width, 1)
        self.of_mask = nn.Sequential(
            nn.Conv2d(width, 256, 1),
            nn.BatchNorm2d(256),
            nn.LeakyReLU(0.2),
            nn.Conv2d(256, 1, 1, bias=False),
        )
        self.to_label = nn.Sequential(
            nn.Conv2d(width + 1, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU()
        )
        self.of_label = nn.Linear(2 * 128 + 2, 1)

    def train(self, mode: bool = True) -> "SimpleNet":
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def features(self, image: Tensor) -> Tensor:
        """Give the maps of the middle at stride 4, (n, c, h / 4, w / 4)."""
        size = image.shape[-2] // 4, image.shape[-1] // 4
        maps = [F.interpolate(m, size, mode="bilinear") for m in self.encoder(image)]
        return F.avg_pool2d(torch.cat(maps, dim=1), 3, stride=1, padding=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.of_mask(features)
        seen = self.to_label(torch.cat([features, mask], dim=1))
        pooled = [f(each) for each in (seen, mask) for f in (_mean, _max)]
        return mask, self.of_label(torch.cat(pooled, dim=1))[:, 0]


def train_simple_net(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray | None],
    labels: np.ndarray,
    watch: Watch,
) -> None:
    model = SimpleNet().train()
    heads = [*model.of_mask.parameters(), *model.to_label.parameters()]
    heads += model.of_label.parameters()
    adaptor = {"params": list(model.adaptor.parameters()), "lr": 1e-4}
    optimizer = torch.optim.AdamW([adaptor, {"params": heads, "lr": 2e-4, "weight_decay": 1e-5}])
    X, y = to_tensor(images, SIZE), masks_to_tensor(masks, SIZE)
    predict = predictor_of(model)
    for rows in batches(len(X), min(BATCH, len(X))):
        image, mask = flipped(X[rows], y[rows])
        features = model.adaptor(model.features(image))
        small = F.adaptive_max_pool2d(mask, features.shape[-2:])
        features, small = with_noise(features, small)
        optimizer.zero_grad()
        loss(*model(features), small).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        if watch(predict):
            return


def with_noise(features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Give each image twice, with noise in random blobs, which counts as defect."""
    features, mask = torch.cat([features, features]), torch.cat([mask, mask])
    n, _, height, width = features.shape
    side = 2 ** int(torch.randint(1, 6, ()))
    smooth = F.interpolate(torch.randn(n, 1, side, side), (height, width), mode="bicubic")
    blobs = (smooth > 1) & (mask == 0) & (torch.rand(n, 1, 1, 1) < 0.5)
    noisy = features + NOISE * torch.randn_like(features) * blobs
    return noisy, torch.maximum(mask, blobs.float())


def loss(mask_logits: Tensor, label_logits: Tensor, mask: Tensor) -> Tensor:
    sides = torch.where(mask > 0, MARGIN - mask_logits, MARGIN + mask_logits).clamp(min=0)
    truncated = sum(sides[chosen].mean() for chosen in (mask > 0, mask == 0) if chosen.any())
    label = mask.amax(dim=(1, 2, 3))
    return truncated + _focal(mask_logits, mask) + _focal(label_logits, label)


def _focal(logits: Tensor, target: Tensor) -> Tensor:
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ((1 - torch.exp(-entropy)) ** 4 * entropy).mean()


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=(2, 3))


def _max(maps: Tensor) -> Tensor:
    return maps.amax(dim=(2, 3))


def predictor_of(model: SimpleNet) -> Predict:
    """Return what predicts: the label's head gives the score."""

    @torch.no_grad()
    def predict(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        model.eval()
        parts = [to_tensor(images[i : i + 16], SIZE) for i in range(0, len(images), 16)]
        given = [model(model.adaptor(model.features(part))) for part in parts]
        model.train()
        maps, scores = (torch.cat(each) for each in zip(*given, strict=True))
        return scores.numpy(), maps.sigmoid()[:, 0].numpy()

    return predict
