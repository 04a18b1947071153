"""CutMix: replace a box in each image by the same box of another image of the batch."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# From the public code of UniMatch: share of the area, and ratio of width to height.
AREA = (0.02, 0.4)
RATIO = (0.3, 1 / 0.3)


def cutmix_boxes(
    n_images: int, shape: Sequence[int], probability: float, generator: torch.Generator
) -> Tensor:
    """Place one box in each image, on a grid.

    Yun et al., "CutMix", ICCV 2019, with the areas of UniMatch: uniform from 2 % to 40 % of the
    image. The ratio of width to height is log-uniform from .3 to 1 / .3, or as close to that as the
    area allows if the box would be longer than the image. Sides are rounded to whole cells, at
    least one.

    Parameters
    ----------
    n_images : int
        Number of images.
    shape : (..., int, int)
        Shape of what is mixed; its last two axes are the rows and columns of cells.
    probability : float
        Probability that an image has a box.
    generator : torch.Generator
        Source of all random numbers.

    Returns
    -------
    Tensor of shape (n_images, rows, columns), bool
        True inside the box.

    Examples
    --------
    >>> boxes = cutmix_boxes(2, (8, 8), 1.0, torch.Generator().manual_seed(0))
    >>> bool(boxes.any((1, 2)).all()), bool(boxes.all((1, 2)).any())
    (True, False)
    """
    happens, area, ratio, top, left = torch.rand((5, n_images), generator=generator)
    area = AREA[0] + (AREA[1] - AREA[0]) * area
    ratio = RATIO[0] * (RATIO[1] / RATIO[0]) ** ratio
    width = (area * ratio).sqrt().clamp(max=1).maximum(area)
    rows = _inside(top, area / width, shape[-2])
    columns = _inside(left, width, shape[-1])
    return rows[:, :, None] & columns[:, None, :] & (happens < probability)[:, None, None]


def _inside(place: Tensor, length: Tensor, n_cells: int) -> Tensor:
    """Tell which cells of an axis a segment covers, whose `length` is a share of the axis."""
    n_covered = (length * n_cells).round().clamp(min=1)
    first = (place * (n_cells - n_covered + 1)).floor()[:, None]
    cells = torch.arange(n_cells)
    return (cells >= first) & (cells < first + n_covered[:, None])


def boxes_at(boxes: Tensor, shape: Sequence[int]) -> Tensor:
    """Scale boxes (n, rows, columns) to the last two axes of a shape; exact if it is a multiple.

    Returns
    -------
    Tensor of shape (n, h, w), bool
        The boxes at that size.

    Examples
    --------
    >>> boxes_at(torch.tensor([[[True, False]]]), (1, 4)).tolist()
    [[[True, True, False, False]]]
    """
    return F.interpolate(boxes[:, None].float(), tuple(shape[-2:]), mode="nearest")[:, 0].bool()


def cutmix(values: Tensor, boxes: Tensor) -> Tensor:
    """Replace the box of each image by that of the image before it in the batch.

    Parameters
    ----------
    values : Tensor of shape (n, ..., h, w)
        Images, maps or masks. If h and w are multiples of the boxes' grid, all are cut along the
        same lines.
    boxes : Tensor of shape (n, rows, columns), bool
        From `cutmix_boxes`.

    Returns
    -------
    Tensor of shape (n, ..., h, w)

    Examples
    --------
    >>> masks = torch.tensor([[[1, 1]], [[2, 2]]])
    >>> cutmix(masks, torch.tensor([[[False, True]], [[False, False]]])).tolist()
    [[[1, 2]], [[2, 2]]]
    """
    there = boxes_at(boxes, values.shape).to(values.device)
    there = there.reshape(len(values), *[1] * (values.ndim - 3), *values.shape[-2:])
    return torch.where(there, values.roll(1, dims=0), values)
