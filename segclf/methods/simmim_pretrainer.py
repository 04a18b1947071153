"""SimMIM: hide large squares of an image, and reconstruct them by a single linear layer.

The encoder sees the whole image with a learned token in place of what is hidden, so it may be of
any kind. The missing pixels are predicted from its deepest map alone. Xie et al., "SimMIM: a simple
framework for masked image modeling", CVPR 2022.
"""

import math
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from segclf.base import EncoderPretrainer
from segclf.data import Augmentation, Samples, views
from segclf.distributed import in_shares
from segclf.networks import ClassificationNetwork, Inpainter, padded
from segclf.objectives import Batch, Objective, Progress, spare_vectors


class SimMIMPretrainer(EncoderPretrainer):
    """Pretrain an encoder by reconstructing hidden parts of images.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer. None means the encoder of
        the estimator that uses this pretrainer, or that of section 4.1 without one,
        "swin_base_patch4_window7_224".
    mask_size : float or int
        Side of the squares that are hidden or visible: a float in (0, 1) is a fraction of the
        image's shorter side, an int is pixels. The paper's 32 pixels (section 4.1.1) are 1 / 7 of
        images of 224 x 224, and 1 / 6 in its own pretraining at 192 x 192. The side is rounded to a
        multiple of the encoder's patch size. If an image is less than two squares high or wide, it
        is half the shorter side.
    mask_ratio : float
        Fraction of the squares that is hidden, .6 (section 4.1.1), rounded up; at least one stays
        visible.
    largest_gradient : float or None
        Largest Euclidean norm of the gradient of all parameters together; a longer one is scaled
        down. 5 in the public code; None means no limit.

    Notes
    -----
    As in section 4.1: AdamW with a weight decay of .05, 100 epochs, half a cosine after a warm-up
    of a tenth; views are crops of .67 to 1 of the area, and flips. The learning rate is the paper's
    8e-4 per 2048 images, scaled to batches of 64. Biases and normalizations do not decay, as in the
    public code.

    Convolutional encoders differ from the paper, which has none: pixels are replaced before the
    first layer, by one learned value per channel. Swin transformers have windows of 7 here, and of
    6 for the paper's images of 192 x 192.

    See Also
    --------
    MAEPretrainer : Leaves hidden patches out, for vision transformers.

    Examples
    --------
    >>> from segclf import SimMIMPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> pretrainer = SimMIMPretrainer(encoder="tiny", max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 64)
    """

    mask_size: float | int = 1 / 7
    mask_ratio: float = 0.6
    largest_gradient: float | None = 5.0
    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 2.5e-5
    weight_decay: float = 0.05
    optimizer: Any = "adamw"
    schedule: Any = "warm_up_cosine"

    _paper_encoder: ClassVar[str] = "swin_base_patch4_window7_224"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "mask_size": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "mask_ratio": [Interval(Real, 0, 1, closed="neither")],
        "largest_gradient": [Interval(Real, 0, None, closed="neither"), None],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        return (Augmentation(crop=(0.67, 1.0), horizontal_flip=0.5),)

    def _make_objective(self, samples: Samples) -> Objective:
        network = self._make_encoder(samples)
        return SimMIM(
            network,
            mask_size=self.mask_size,
            mask_ratio=self.mask_ratio,
            largest_gradient=self.largest_gradient,
        )


class SimMIM(Objective):
    """Mean absolute error of hidden pixels.

    Parameters
    ----------
    network : ClassificationNetwork
        Network whose encoder is trained.
    mask_size : float or int
        Height and width of the squares that are hidden: a fraction of the shorter side, or pixels.
    mask_ratio : float
        Fraction of the squares that is hidden.
    largest_gradient : float or None
        Largest norm of the gradient.
    """

    network: ClassificationNetwork

    def __init__(
        self,
        network: ClassificationNetwork,
        *,
        mask_size: float,
        mask_ratio: float,
        largest_gradient: float | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.inpainter = Inpainter(network)
        self.mask_size = mask_size
        self.mask_ratio = mask_ratio
        self.largest_gradient = largest_gradient

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "reconstruction", in standard deviations of the pixels."""
        (view,) = views(batch)
        stride, unit = self.inpainter.stride, self.inpainter.unit
        image = padded(self.network.prepare(view), stride=stride, smallest=2 * unit)
        hidden = self.sample(image)
        painted = in_shares(partial(self.inpainter, self.network.encoder), image, hidden)
        return {"reconstruction": masked_error(painted, image, repeated(hidden, unit))}

    def sample(self, image: Tensor) -> Tensor:
        """Sample the hidden part of each image: bool (n, h, w), in units of the inpainter."""
        unit = self.inpainter.unit
        height, width = image.shape[2] // unit, image.shape[3] // unit
        of_image = 1 if isinstance(self.mask_size, Integral) else min(image.shape[2:])
        side = max(1, min(round(self.mask_size * of_image / unit), height // 2, width // 2))
        rows, columns = math.ceil(height / side), math.ceil(width / side)
        n_hidden = min(math.ceil(rows * columns * self.mask_ratio), rows * columns - 1)
        ranks = torch.rand(len(image), rows * columns, device=image.device).argsort(dim=1)
        hidden = (ranks < n_hidden).reshape(-1, rows, columns)
        return repeated(hidden, side)[:, :height, :width]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return parameter groups in which vectors do not decay."""
        return spare_vectors(super().parameter_groups())

    def before_update(self, progress: Progress) -> None:
        """Scale down a large gradient."""
        if self.largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.largest_gradient)


def masked_error(painted: Tensor, image: Tensor, hidden: Tensor) -> Tensor:
    """Average the absolute error over the hidden pixels ``(n, h, w)`` and all channels."""
    error = (painted.float() - image).abs() * hidden[:, None]
    return error.sum() / (hidden.sum() + 1e-5) / image.shape[1]


def repeated(grid: Tensor, times: int) -> Tensor:
    """Repeat each value of a grid ``(n, h, w)`` `times` times along both axes."""
    return grid.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
