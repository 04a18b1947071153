"""The scale of pixel values: what `fit` saw, and whether an image has the same.

Bytes and 16 bit integers are read as 0 to 1, other numbers unchanged. A network that learned from
one scale predicts nonsense for another, so another scale is an error. Each image is judged by
itself:

- Images of 8 bits go with images of 8 bits, however dark, and with all others that are read as 0 to
  1: floats from 0 to 1 (-1 to 2, for what resampling adds), and 16 bits.
- 16 bit files often hold 8, 10 or 12 bits. Where `fit` saw another type, an image of 16 bits of
  which no pixel is above 4095 is taken for one of these. Where `fit` saw such ones, images of
  another type may be 4 times as bright as the brightest.
- Where `fit` saw other numbers, such as Hounsfield units or 0 to 255 as floats, images that are
  read as 0 to 1 are of another scale, and so are floats from 0 to 1 where numbers of 64 and more
  were usual, and images 12 times as bright as the brightest.
- A constant image is only refused for what is beyond the bounds, a black one never; images of one
  value in `fit` say nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.data.sources import Rows, Source

__all__ = ["Scale", "learn_scale", "require_scale", "scale_of", "scales_of"]

#: Number of lazy images of one type that are opened to learn their scale.
OPENED_IMAGES = 32

_TOPS = {"bool": 1, "uint8": 255, "uint16": 65535}
_FULL_BITS = ("bool", "uint8")
# Maximum of 12 bits.
_FEW_BITS = 4095
# Hot pixels, metal in Hounsfield units and clouds are up to 10 times as bright as all else in fit.
_BRIGHTER = 12
_BRIGHTER_IN_16_BITS = 4
# Within one fit: an image of 0 to 255 among those of 0 to 1.
_MUCH_BRIGHTER = 64


class Scale(NamedTuple):
    """The range of one image, or of those that `fit` saw.

    Attributes
    ----------
    dtype : str
        Type of the values as given.
    low, high : float
        Smallest and largest value.
    typical : float
        Median over the images of the largest absolute value.
    """

    dtype: str
    low: float
    high: float
    typical: float

    def __str__(self) -> str:
        """Describe the values, and how they are read."""
        if self.dtype in _FULL_BITS:
            return f"{self.dtype}, read as 0 to 1"
        held = f"{self.dtype} from {self.low:.4g} to {self.high:.4g}"
        if self.dtype == "uint16":
            held += f", read as {self.low / 65535:.2g} to {self.high / 65535:.2g}"
        return held

    def is_picture(self) -> bool:
        """Tell whether pixels are read as 0 to 1, with black and white at the ends."""
        if self.dtype == "uint16":
            return not self._has_few_bits()
        return self.dtype in _FULL_BITS or (self.low >= 0 and 0.5 < self.high <= 1)

    def refuses(self, image: Scale) -> bool:
        """Tell whether an image has another scale; see the top of this file."""
        known = self.dtype in _FULL_BITS
        if (known and image.dtype in _FULL_BITS) or (not known and self.low == self.high):
            return False
        if image.low == image.high == 0:
            return False
        if self._is_unit():
            return not image._is_unit() or self._differs_in_bits(image)
        from_0_to_1 = image.low >= 0 and image.high <= 1 and image.low < image.high
        return (
            image.dtype in _TOPS
            or image._largest() > _BRIGHTER * self._largest()
            or (from_0_to_1 and self._is_unlike_0_to_1())
        )

    def _differs_in_bits(self, image: Scale) -> bool:
        if self.dtype == image.dtype == "uint16":
            return image.high > _BRIGHTER * self.high
        if image.dtype == "uint16":
            return image._has_few_bits() and self._read()[1] > _FEW_BITS / 65535
        return self._has_few_bits() and image._read()[1] > _BRIGHTER_IN_16_BITS * self._read()[1]

    def _has_few_bits(self) -> bool:
        return self.dtype == "uint16" and self.low < self.high <= _FEW_BITS

    def _is_unit(self) -> bool:
        low, high = self._read()
        return low >= -1 and high <= 2

    def _is_unlike_0_to_1(self) -> bool:
        """Whether values from 0 to 1 have another scale, and are not only dark."""
        return self.typical >= 64 and (self.low >= 0 or self.low <= -64)

    def _read(self) -> tuple[float, float]:
        top = _TOPS.get(self.dtype, 1)
        return self.low / top, self.high / top

    def _largest(self) -> float:
        return max(abs(self.low), abs(self.high))


def scale_of(image: NDArray[Any]) -> Scale:
    """Return the scale of one image; for 8 bits the type determines it.

    Parameters
    ----------
    image : array

    Returns
    -------
    Scale
    """
    dtype = image.dtype.name
    if dtype in _FULL_BITS:
        return Scale(dtype, 0.0, float(_TOPS[dtype]), float(_TOPS[dtype]))
    low, high = float(image.min()), float(image.max())
    return Scale(dtype, low, high, max(abs(low), abs(high)))


def scales_of(source: Source, rows: Rows) -> Iterator[tuple[int, Scale]]:
    """Yield (row, scale) of images; images of 8 bits are not opened.

    Parameters
    ----------
    source : Source
    rows : array of shape (n,)

    Yields
    ------
    tuple of int and Scale
    """
    for row, dtype in zip(rows.tolist(), source.dtypes(rows), strict=True):
        known = dtype.name in _FULL_BITS
        image = np.empty(0, dtype) if known else source.take(np.array([row]))[0]
        yield row, scale_of(image)


def require_scale(image: Scale, fit: Scale, name: str) -> None:
    """Refuse an image whose scale differs from that in `fit`.

    Parameters
    ----------
    image, fit : Scale
    name : str
        Name of the image, as the error's first words.
    """
    if fit.refuses(image):
        raise ValueError(f"{name} holds {image}; fit saw {fit}. {_conversion(image, fit)}")


def learn_scale(source: Source, rows: Rows) -> Scale:
    """Return the common scale of images, independent of their order.

    If the type of images in files or in a Dataset leaves the scale open, some are opened, evenly
    spread: 32, or all if there are several types.

    Parameters
    ----------
    source : Source
    rows : array of shape (n,)

    Returns
    -------
    Scale
        The scale of the images of the most frequent type.

    Raises
    ------
    ValueError
        If they have different scales.
    """
    if source.lazy and len(set(source.dtypes(rows))) == 1:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, OPENED_IMAGES).astype(int))]
    found = dict(scales_of(source, rows))
    dtype = Counter(scale.dtype for scale in found.values()).most_common(1)[0][0]
    like = {row: scale for row, scale in found.items() if scale.dtype == dtype}
    common = _union(list(like.values()))
    for row, scale in found.items():
        if _stands_out(scale, common) if row in like else common.refuses(scale):
            other = source.name(next(each for each in like if each != row))
            raise ValueError(
                f"{source.name(row)} holds {scale}; others hold {common}, such as "
                f"{other.replace('I', 'i', 1)}. All images in fit must have one scale. "
                f"{_conversion(scale, common)}"
            )
    return common


def _union(scales: list[Scale]) -> Scale:
    return Scale(
        scales[0].dtype,
        min(scale.low for scale in scales),
        max(scale.high for scale in scales),
        float(np.median([scale.typical for scale in scales])),
    )


def _stands_out(image: Scale, common: Scale) -> bool:
    """Whether the scale of an image differs from that of others of its type."""
    if image.dtype in _TOPS:
        return False
    if image.typical > _MUCH_BRIGHTER * common.typical > 0:
        return True
    from_0_to_1 = image.low >= 0 and image.high <= 1 and image.low < image.high
    return from_0_to_1 and common._is_unlike_0_to_1()


def _conversion(image: Scale, fit: Scale) -> str:
    top = _top_of(image)
    if fit._is_unit() and not fit._has_few_bits() and top is not None:
        as_bytes = "X.astype(np.uint8), or " if (fit.dtype, top) == ("uint8", 255) else ""
        return f"Pass {as_bytes}X / {top}."
    if image.dtype in _TOPS and not fit._is_unit() and fit.high <= _TOPS[image.dtype]:
        return f"Pass X.astype(np.{fit.dtype})."
    if image._is_unit() and not fit._is_unit() and fit.low >= 0 and (top := _top_of(fit)):
        return f"Pass X * {top}."
    return "Pass images of that scale."


def _top_of(scale: Scale) -> int | None:
    """Return the value of white if values go from 0 to 255, 4095 or 65535."""
    tops = (255, _FEW_BITS, 65535)
    return next((top for top in tops if scale.low >= 0 and 1 < scale.high <= top), None)
