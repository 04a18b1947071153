"""MAE: hide three quarters of an image, and reconstruct them from the rest.

A vision transformer sees only the visible patches, which makes training cheap. A light decoder,
discarded later, predicts the pixels of the hidden patches from its tokens. He et al., "Masked
autoencoders are scalable vision learners", CVPR 2022.
"""

from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval
from torch import Tensor

from segclf.axes import N_SPATIAL
from segclf.base import VolumeEncoderPretrainer
from segclf.data import Augmentation, Samples, views
from segclf.distributed import in_shares
from segclf.networks import (
    ClassificationNetwork,
    MaskedDecoder,
    MaskedVolumes,
    can_drop_patches,
    encode_visible,
    fix_positions,
    padded,
    start_as_in_mae,
)
from segclf.objectives import Batch, Objective, Progress, spare_vectors


class MAEPretrainer(VolumeEncoderPretrainer):
    """Pretrain a vision transformer, or an encoder of volumes, as a masked autoencoder.

    Parameters
    ----------
    encoder : str or None
        A plain vision transformer of timm: "vit_base_patch16_224", "vit_small_patch8_224",
        "deit_small_patch16_224", "tiny_vit", ... Other encoders of images cannot leave out patches.
        For volumes: "residual3d", "tiny3d" or "dynunet". None means the encoder of the estimator
        that uses this pretrainer, or the smallest of section 4.3 without one,
        "vit_base_patch16_224".
    mask_ratio : float
        Fraction of the patches that is hidden, .75 in section 4.1. Of l patches, ``int(l * (1 -
        mask_ratio))`` stay visible, but at least one is visible and one hidden.
    decoder_width, decoder_blocks, decoder_heads : int
        Width, blocks and heads of the decoder: 512, 8 (section 4.1, Table 1a and 1b) and 16.
        Ignored for volumes, whose decoder is that of a U-Net.
    normalize_pixels : bool
        Whether each patch's target is normalized by its own mean and standard deviation. Off in
        section 4.1 ("pixel (w/o norm)"), but on in its best results (Table 1d) and recommended
        there.

    Notes
    -----
    As in the paper (Appendix A.1, Table 8): AdamW with betas of .9 and .95, a weight decay of .05,
    800 epochs, half a cosine after a warm-up; views are crops of .2 to 1 of the area, and flips.
    The learning rate is the paper's 1.5e-4 per 256 images, scaled to batches of 64, where the paper
    has 4096 (the public code's default is 1e-3 per 256). Warm-up is a tenth of training, where the
    paper has 40 of 800 epochs; for that, pass a callable as `schedule`. Biases and normalizations
    do not decay, as in the public code.

    Position embeddings are the paper's: sines and cosines that stay fixed in pretraining. They take
    the place of the learned ones of timm's transformers, so that they are handed on with all other
    weights, and are learned in fine-tuning. Position embeddings of `encoder_weights` are trained
    further.

    Weights are initialized as in the paper (Appendix A.1, "xavier_uniform"), the patch embedding
    and the tokens as in the public code, which differs from timm.

    Images smaller than 2 x 2 patches are padded by repeating their border.

    Encoders of volumes are convolutional. Their patches are the blocks of voxels that correspond to
    one voxel of the deepest map. The maps of all levels are set to zero where the volume is hidden,
    and normalizations use only the visible part, as in SparK (Tian et al., ICLR 2023). Each volume
    is processed as a whole, so `batch_size` has to be small.

    See Also
    --------
    SimMIMPretrainer : The same idea for any encoder.

    Examples
    --------
    >>> from segclf import MAEPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> pretrainer = MAEPretrainer(
    ...     encoder="tiny_vit", decoder_width=32, decoder_blocks=1, max_epochs=1, random_state=0
    ... )
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 32)
    """

    mask_ratio: float = 0.75
    decoder_width: int = 512
    decoder_blocks: int = 8
    decoder_heads: int = 16
    normalize_pixels: bool = False
    max_epochs: int = 800
    batch_size: int = 64
    learning_rate: float = 3.75e-5
    weight_decay: float = 0.05
    optimizer: Any = "adamw"
    schedule: Any = "warm_up_cosine"

    _paper_encoder: ClassVar[str] = "vit_base_patch16_224"
    _needs_transformer: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "mask_ratio": [Interval(Real, 0, 1, closed="neither")],
        "decoder_width": [Interval(Integral, 4, None, closed="left")],
        "decoder_blocks": [Interval(Integral, 1, None, closed="left")],
        "decoder_heads": [Interval(Integral, 1, None, closed="left")],
        "normalize_pixels": ["boolean"],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        return (Augmentation(crop=(0.2, 1.0), horizontal_flip=0.5),)

    def _make_objective(self, samples: Samples) -> Objective:
        self._check_decoder()
        network = self._make_encoder(samples)
        hiding: Any = {"mask_ratio": self.mask_ratio, "normalize_pixels": self.normalize_pixels}
        if samples.images.n_spatial != N_SPATIAL:
            return VolumeMAE(network, **hiding)
        if not can_drop_patches(network.encoder):
            raise ValueError(
                f"encoder={network.recipe['encoder']!r} is not a plain vision transformer of timm. "
                "MAE leaves out patches, so it needs one, such as vit_base_patch16_224, "
                "vit_small_patch8_224, deit_small_patch16_224 or tiny_vit. For other encoders, use "
                "SimMIMPretrainer."
            )
        if self.encoder_weights is None:
            start_as_in_mae(network.encoder)
            fix_positions(network.encoder)
        return MAE(
            network,
            decoder_width=self.decoder_width,
            decoder_blocks=self.decoder_blocks,
            decoder_heads=self.decoder_heads,
            **hiding,
        )

    def _check_decoder(self) -> None:
        if self.decoder_width % 4 or self.decoder_width % self.decoder_heads:
            raise ValueError(
                f"decoder_width={self.decoder_width}; expected a multiple of 4 and of "
                f"decoder_heads={self.decoder_heads}."
            )


class Reconstruction(Objective):
    """What both masked autoencoders share: which patches they hide, and how they are trained."""

    mask_ratio: float

    def sample(self, n: int, n_patches: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Sample which patches of n images are visible, ``(n, k)``, and which are masked."""
        order = torch.rand(n, n_patches, device=device).argsort(dim=1)
        n_visible = min(max(int(n_patches * (1 - self.mask_ratio)), 1), n_patches - 1)
        return order[:, :n_visible], order[:, n_visible:]

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Return True: every image has the same number of hidden patches."""
        return True

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return groups with the paper's betas; vectors do not decay."""
        return [
            {**group, "betas": (0.9, 0.95)} for group in spare_vectors(super().parameter_groups())
        ]


class MAE(Reconstruction):
    """Mean squared error of the pixels of hidden patches.

    Parameters
    ----------
    network : ClassificationNetwork
        With a plain vision transformer as its encoder.
    mask_ratio : float
        Fraction of the patches that is hidden.
    decoder_width, decoder_blocks, decoder_heads : int
        Width, blocks and heads of the decoder.
    normalize_pixels : bool
        Whether each patch's target is normalized.
    """

    network: ClassificationNetwork

    def __init__(
        self,
        network: ClassificationNetwork,
        *,
        mask_ratio: float,
        decoder_width: int,
        decoder_blocks: int,
        decoder_heads: int,
        normalize_pixels: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.mask_ratio = mask_ratio
        self.normalize_pixels = normalize_pixels
        encoder: Any = network.encoder
        self.patch = int(encoder.patch_embed.patch_size[0])
        self.decoder = MaskedDecoder(
            encoder.embed_dim,
            network.recipe["in_channels"] * self.patch**2,
            width=decoder_width,
            n_blocks=decoder_blocks,
            n_heads=decoder_heads,
        )

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "reconstruction", in units of the pixels' variance."""
        (view,) = views(batch)
        image = padded(self.network.prepare(view), stride=self.patch, smallest=2 * self.patch)
        patches = F.unfold(image, self.patch, stride=self.patch).transpose(1, 2)
        visible, masked = self.sample(len(image), patches.shape[1], image.device)
        encoded = in_shares(partial(encode_visible, self.network.encoder), image, visible)
        grid = image.shape[2] // self.patch, image.shape[3] // self.patch
        predicted = in_shares(partial(self.decoder, grid=grid), encoded, visible, masked)
        target = torch.take_along_dim(patches, masked[..., None], dim=1)
        if self.normalize_pixels:
            target = normalized(target)
        return {"reconstruction": (predicted.float() - target).square().mean()}


class VolumeMAE(Reconstruction):
    """Mean squared error of the voxels of hidden blocks.

    Parameters
    ----------
    network : ClassificationNetwork
        With an encoder of volumes.
    mask_ratio : float
        Fraction of the blocks that is hidden.
    normalize_pixels : bool
        Whether each block's target is normalized.
    """

    network: ClassificationNetwork

    def __init__(
        self, network: ClassificationNetwork, *, mask_ratio: float, normalize_pixels: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.mask_ratio = mask_ratio
        self.normalize_pixels = normalize_pixels
        self.painter = MaskedVolumes(network)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "reconstruction", in units of the voxels' variance."""
        (view,) = views(batch)
        block = self.painter.block
        twice = [2 * side for side in block]
        volume = padded(self.network.prepare(view), stride=block, smallest=twice)
        target = blocks(volume, block)
        _, masked = self.sample(len(volume), target.shape[1], volume.device)
        hidden = torch.zeros(target.shape[:2], dtype=torch.bool, device=volume.device)
        hidden.scatter_(1, masked, True)
        grid = [side // of_block for side, of_block in zip(volume.shape[2:], block, strict=True)]
        paint = partial(self.painter, self.network.encoder)
        painted = in_shares(paint, volume, hidden.unflatten(1, grid))
        target, predicted = target[hidden], blocks(painted.float(), block)[hidden]
        if self.normalize_pixels:
            target = normalized(target[None])[0]
        return {"reconstruction": (predicted - target).square().mean()}


def blocks(volume: Tensor, size: Sequence[int]) -> Tensor:
    """Cut volumes (n, c, d, h, w) into blocks (n, l, v), in the order of slices, rows, columns.

    Examples
    --------
    >>> blocks(torch.arange(8.0).reshape(1, 1, 2, 2, 2), (2, 1, 2)).tolist()
    [[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]
    """
    for axis, side in enumerate(size, 2):
        volume = volume.unfold(axis, side, side)
    # (n, c, l_d, l_h, l_w, d, h, w)
    return volume.movedim(1, 4).flatten(4).flatten(1, 3)


def normalized(patches: Tensor) -> Tensor:
    """Normalize the values of each patch ``(n, l, v)`` by their mean and unbiased variance."""
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()
