"""SimMIM: hide large squares of an image, and paint them by a single linear layer.

The encoder sees the whole image with a learned token in place of what is hidden, so any will do,
and its deepest map alone must tell the missing pixels. Xie et al., "SimMIM: a simple framework for
masked image modeling", CVPR 2022.
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
    """Pretrain an encoder by painting what is hidden.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer. None is that of the
        estimator that this one is handed to, on its own that of section 4.1,
        "swin_base_patch4_window7_224".
    mask_size : float or int
        Height and width of the squares that are hidden or not: a float in (0, 1) is a fraction of
        the shorter side of the image, an int is pixels. The paper's 32 pixels (section 4.1.1) are
        1 / 7 of images of 224 x 224; in its own pretraining, at 192 x 192, 1 / 6. Whatever the
        encoder's own patches are, they are rounded to whole ones of these. In images less than two
        squares high or wide it is half the shorter side.
    mask_ratio : float
        Part of the squares that is hidden, .6 (section 4.1.1), rounded up; one at least stays
        visible.
    largest_gradient : float or None
        The gradient of all parameters together is scaled down to this length, 5 in the public code;
        None leaves it.

    Notes
    -----
    As in section 4.1: AdamW with a weight decay of .05, 100 epochs, half a cosine after a warm-up
    of a tenth; views are crops of .67 to 1 of the area, and flips. Its learning rate, 8e-4 for 2048
    images a batch, is given here in proportion for 64. Biases and normalizations do not decay, as
    in the public code.

    Convolutional encoders are a departure, since the paper has none: pixels are hidden before the
    first layer, by one learned value a channel. Swin transformers have windows of 7 here, of 6 for
    the paper's images of 192 x 192.

    See Also
    --------
    MAEPretrainer : Leaves out patches instead, for vision transformers.

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
        Whose encoder learns.
    mask_size : float or int
        Height and width of the squares that are hidden: a fraction of the shorter side, or pixels.
    mask_ratio : float
        Part of them that is hidden.
    largest_gradient : float or None
        Length that the gradient is scaled down to.
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
        """Sample what of each image is hidden: bool (n, h, w) in units of the inpainter."""
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
        """Return groups in which vectors do not decay."""
        return spare_vectors(super().parameter_groups())

    def before_update(self, progress: Progress) -> None:
        """Scale a large gradient down."""
        if self.largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.largest_gradient)


def masked_error(painted: Tensor, image: Tensor, hidden: Tensor) -> Tensor:
    """Average the absolute error over the pixels where `hidden` ``(n, h, w)``, and all channels."""
    error = (painted.float() - image).abs() * hidden[:, None]
    return error.sum() / (hidden.sum() + 1e-5) / image.shape[1]


def repeated(grid: Tensor, times: int) -> Tensor:
    """Make each value of a grid ``(n, h, w)`` a square of so many values a side."""
    return grid.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
