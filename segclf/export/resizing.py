"""Resizing in a graph, whose sizes are known only when it runs, by products with weight matrices.

This is `segclf.data.resize` for tensors whose height and width are free in a graph. OpenCV's area
means have no operator in torch or ONNX; two products with the overlaps of pixels give the same
within rounding.
"""

import torch
from torch import Tensor

from segclf.data.resize import Size, resize_maps

__all__ = ["averaged", "maps_at", "resized"]


def resized(images: Tensor, size: Size) -> Tensor:
    """Resize images as `segclf.data.resize_image` does, each axis by its own rule.

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w), float32
        Images of any size.
    size : (int, int)
        Height and width.

    Returns
    -------
    Tensor of shape (n, c, height, width)

    Examples
    --------
    >>> resized(torch.tensor([[[[0.0, 1.0, 2.0, 3.0]]]]), (1, 2)).tolist()
    [[[[0.5, 2.5]]]]
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    rows, columns = (
        _image_weights(before, after) for before, after in zip(images.shape[2:], size, strict=True)
    )
    return rows @ images @ columns.T


def maps_at(maps: Tensor, images: Tensor) -> Tensor:
    """Resize maps to the size of images as `segclf.data.resize.resize_maps` does.

    Parameters
    ----------
    maps : Tensor of shape (n, k, h', w')
        Maps of a fixed size.
    images : Tensor of shape (n, c, h, w)
        Images of any size.

    Returns
    -------
    Tensor of shape (n, k, h, w)
    """
    height, width = images.shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        return resize_maps(maps, (height, width))
    skips = (_number(height) * 2 < maps.shape[2]) | (_number(width) * 2 < maps.shape[3])
    return torch.cond(skips, _without_skipping, _interpolated, (maps, images))


def averaged(maps: Tensor, like: Tensor) -> Tensor:
    """Average maps over the cells of another grid, as `adaptive_avg_pool2d` does.

    Parameters
    ----------
    maps : Tensor of shape (n, k, h, w)
    like : Tensor of shape (n, d, h', w')
        Its height and width are those of the grid.

    Returns
    -------
    Tensor of shape (n, k, h', w')

    Examples
    --------
    >>> averaged(torch.tensor([[[[0.0, 1.0, 2.0]]]]), torch.zeros(1, 1, 1, 2)).tolist()
    [[[[0.5, 1.5]]]]
    """
    rows, columns = (
        _cells(before, after) for before, after in zip(maps.shape[2:], like.shape[2:], strict=True)
    )
    return rows @ maps @ columns.T


def _image_weights(before: int, after: int) -> Tensor:
    """Return (after, before): overlaps of pixels if an axis shrinks, else interpolation."""
    step = _number(before) / after
    new, old = _places(after)[:, None], _places(before)
    overlap = torch.minimum((new + 1) * step, old + 1) - torch.maximum(new * step, old)
    center = ((new + 0.5) * step - 0.5).clamp(min=0).minimum(_number(before) - 1)
    linear = (1 - (old - center).abs()).clamp(min=0)
    return torch.where(step >= 1, overlap.clamp(min=0) / step, linear).float()


def _interpolated(maps: Tensor, images: Tensor) -> Tensor:
    # Columns first, so that whole rows are copied.
    return _between(_between(maps, 3, images.shape[3]), 2, images.shape[2])


def _between(maps: Tensor, axis: int, after: int) -> Tensor:
    """Interpolate along one axis with torch's rounding, which differs from ONNX's Resize."""
    last = maps.shape[axis] - 1
    step = torch.full((), maps.shape[axis], dtype=torch.float32) / after
    places = ((torch.arange(after, dtype=torch.float32) + 0.5) * step - 0.5).clamp(min=0)
    low = places.floor().clamp(max=last)
    share = places - low if axis == 3 else (places - low)[:, None]
    low = low.long()
    above = maps.index_select(axis, (low + 1).clamp(max=last))
    return maps.index_select(axis, low) * (1 - share) + above * share


def _without_skipping(maps: Tensor, images: Tensor) -> Tensor:
    rows, columns = (
        _antialiased(before, after)
        for before, after in zip(maps.shape[2:], images.shape[2:], strict=True)
    )
    return rows @ maps @ columns.T


def _antialiased(before: int, after: int) -> Tensor:
    """Return (after, before): triangles as wide as a new pixel, but at least an old one."""
    step = before / _number(after)
    center = (_places(after)[:, None] + 0.5) * step
    weights = (1 - (_places(before) + 0.5 - center).abs() / step.clamp(min=1)).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _cells(before: int, after: int) -> Tensor:
    """Return (after, before): equal weights of the pixels that a cell touches."""
    step = _number(before) / after
    new, old = _places(after)[:, None], _places(before)
    touched = (old >= (new * step).floor()) & (old < ((new + 1) * step).ceil())
    return (touched / touched.sum(dim=1, keepdim=True)).float()


def _number(side: int) -> Tensor:
    return torch.full((), side, dtype=torch.float64)


def _places(side: int) -> Tensor:
    return torch.arange(side, dtype=torch.float64)
