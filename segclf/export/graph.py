"""The graph of an estimator, from images as arrays to predictions, and its tracing by torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from segclf.axes import N_SPATIAL
from segclf.base import SegmenterEnsemble
from segclf.base.image_size import given_size
from segclf.base.spatial import n_spatial
from segclf.data.resize import Size
from segclf.export.answering import answer_of, found
from segclf.export.same_padding import constant_paddings
from segclf.isolation.cached import cached_property

# The types of images, and the value that is read as 1, as in `segclf.data.arrays.to_float`.
_TOPS = {"uint8": 255, "uint16": 65535}
_DTYPES = (*_TOPS, "bool", "int8", "int16", "int32", "float16", "float32", "float64")
# Small enough to be fast, and large enough that a network with many strides sees several pixels.
_LEAST_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images that a graph takes.

    Parameters
    ----------
    dtype : str
        Type of the values.
    n_channels : int
        Length of the last axis.
    size : (int, int) or None
        Height and width, if fixed.
    low, high : float
        Usual range of the values.
    smallest : int
        Smallest height and width that the network sees.
    """

    dtype: str
    n_channels: int
    size: Size | None
    low: float = 0.0
    high: float = 1.0
    smallest: int = 1

    @property
    def sizes(self) -> list[Size]:
        """Sizes to try: one that no stride divides (traced), one that all divide, and another."""
        if self.size is not None:
            return [self.size]
        side = self.smallest * -(-_LEAST_SIDE // self.smallest)
        return [(side + 29, side + 51), (4 * side, 2 * side), (side + 1, 3 * side + 7)]

    def noise(self, size: Size) -> NDArray[Any]:
        """Return two images, since a program traced for one fails for two."""
        noise = np.random.default_rng(size).random((2, *size, self.n_channels))
        return (self.low + noise * (self.high - self.low)).astype(self.dtype)


class ImageGraph(nn.Module):
    """From images (n, h, w, c) in arrays to an estimator's predictions.

    Parameters
    ----------
    answer : nn.Module
        From images (n, c, h, w), as they are read, to predictions.
    images : Images
        Describes the images that the graph takes.
    """

    def __init__(self, answer: nn.Module, images: Images) -> None:
        super().__init__()
        self.answer, self.images = answer, images
        self.top = _TOPS.get(images.dtype)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the predictions, in float32 except for masks."""
        read = images.to(torch.float32)
        if self.top is not None:
            read = read / self.top
        answers = self.answer(read.permute(0, 3, 1, 2))
        return {
            name: each.float() if each.is_floating_point() else each
            for name, each in answers.items()
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the predictions."""
        with torch.inference_mode():
            return tuple(self(torch.from_numpy(self.images.noise(self.images.sizes[0]))))

    def trace(self) -> Any:
        """Return torch's program of the graph, for any number of images.

        Raises
        ------
        ValueError
            If the network's layers depend on the images' size, or on anything that torch cannot
            trace.
        """
        free = torch.export.Dim.DYNAMIC
        axes = {0: free} if self.images.size else {0: free, 1: free, 2: free}
        example = torch.from_numpy(self.images.noise(self.images.sizes[0]))
        try:
            with torch.no_grad(), constant_paddings():
                return torch.export.export(self, (example,), dynamic_shapes={"images": axes})
        except Exception as error:
            any_size = "" if self.images.size else " for images of any size"
            advice = "" if self.images.size else " Try a fixed one: image_size=(height, width)."
            raise ValueError(
                f"torch cannot trace this network{any_size}: {error}{advice}"
            ) from error


def graph_of(estimator: BaseEstimator, image_size: Any, dtype: str | None) -> ImageGraph:
    """Return the graph of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    image_size : int, (int, int) or None
        Height and width of all images; None for images of any size.
    dtype : str or None
        Type of the images; None is the type that `fit` saw.

    Raises
    ------
    TypeError, ValueError
        For what cannot be exported, see `segclf.export_onnx`.
    """
    estimator = found(estimator)
    if n_spatial(estimator) != N_SPATIAL:
        raise TypeError(
            f"{type(estimator).__name__} reads volumes; expected an estimator of images, since a "
            "graph cannot slide windows over volumes."
        )
    size = None if image_size is None else given_size(image_size)
    answer = answer_of(estimator, size).eval()
    holder = holders(estimator)[0]
    scale = holder.image_scale_ or {"dtype": "float32", "low": 0.0, "high": 1.0}
    dtype = scale["dtype"] if dtype is None else np.dtype(dtype).name
    if dtype not in _DTYPES:
        raise ValueError(f"dtype={dtype!r}; expected one of {', '.join(_DTYPES)}.")
    kind = dict(dtype=dtype, n_channels=holder.n_channels_, size=size, **_usual(scale, dtype))
    smallest = max(getattr(m, "smallest", 1) for m in answer.modules())
    return ImageGraph(answer, Images(**kind, smallest=smallest))


def holders(estimator: Any) -> list[Any]:
    """Return the estimators that hold the networks of images."""
    estimator = found(estimator)
    if isinstance(estimator, SegmenterEnsemble):
        return [each for member in estimator.segmenters_ for each in holders(member)]
    if hasattr(estimator, "segmenter_"):
        return holders(estimator.segmenter_)
    return [estimator]


def _usual(scale: dict[str, Any], dtype: str) -> dict[str, float]:
    """Return the usual range of images of a type, from those that `fit` saw."""
    as_read = _TOPS.get(scale["dtype"], 1)
    top = _TOPS.get(dtype, 1)
    return {"low": scale["low"] / as_read * top, "high": scale["high"] / as_read * top}
