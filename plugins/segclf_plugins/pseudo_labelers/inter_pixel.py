"""Losses over pairs of near pixels: do the two belong together, and where is their object's center?

Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel relations"
(IRNet), CVPR 2019, Section 4. A pair is a pixel and an offset (dy, dx) of :func:`half_disc`. Masks
hold ids as everywhere, 0 the background and -1 unlabeled; a pair with a -1, and one that reaches
outside, trains nothing.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Offset = tuple[int, int]

_EPSILON = 1e-5  # of IRNet's code, inside of both logarithms


class Pairs(NamedTuple):
    """Which pairs have which relation, each a bool tensor (n, p, h, w).

    Parameters
    ----------
    foreground : Tensor
        Both pixels are of one class.
    background : Tensor
        Both are background.
    different : Tensor
        They are of different ids.
    """

    foreground: Tensor
    background: Tensor
    different: Tensor


def half_disc(radius: int) -> list[Offset]:
    """List the offsets (dy, dx) nearer than `radius` pixels, each pair of opposite ones once.

    Examples
    --------
    >>> half_disc(2)
    [(0, 1), (1, -1), (1, 0), (1, 1)]
    >>> [len(half_disc(radius)) for radius in (3, 5, 10)]
    [12, 34, 152]
    """
    span = range(-radius + 1, radius)
    below = [(y, x) for y in range(1, radius) for x in span if y * y + x * x < radius * radius]
    return [(0, x) for x in range(1, radius)] + below


def straight_path(offset: Offset) -> list[Offset]:
    """List the pixels from (0, 0) to `offset`, both included: those less than 1 from the line.

    Examples
    --------
    >>> straight_path((1, 2))
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    """
    dy, dx = offset
    box = ((y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1))
    return [(y, x) for y, x in box if (dy * x - dx * y) ** 2 < dy * dy + dx * dx]


def path_affinity(edge: Tensor, offsets: list[Offset]) -> Tensor:
    """Give 1 minus the strongest edge on the straight path between the pixels of each pair.

    Parameters
    ----------
    edge : Tensor of shape (n, h, w)
        Probability of a boundary.
    offsets : list of (int, int)
        The p offsets, from :func:`half_disc`.

    Returns
    -------
    Tensor of shape (n, p, h, w)
        0 for pairs that reach outside.

    Examples
    --------
    >>> path_affinity(torch.tensor([[[0.0, 0.75, 0.5]]]), [(0, 1), (0, 2)])
    tensor([[[[0.2500, 0.2500, 0.0000]],
    <BLANKLINE>
             [[0.2500, 0.0000, 0.0000]]]])
    """
    outside = _padded(edge, offsets, fill=1.0)
    # Where the strongest edges are needs no gradient: only p values a pixel are kept for it.
    strongest = _strongest(outside.detach(), offsets, (edge.shape[1], edge.shape[2]))
    return 1 - outside.flatten(1).gather(1, strongest.flatten(1)).view_as(strongest)


def pixel_pairs(mask: Tensor, offsets: list[Offset]) -> Pairs:
    """Sort the pairs of masks (n, h, w) by the labels of their two pixels.

    Parameters
    ----------
    mask : Tensor of shape (n, h, w)
        Ids, 0 the background, -1 unlabeled.
    offsets : list of (int, int)
        The p offsets, from :func:`half_disc`.

    Returns
    -------
    Pairs
        Three bool tensors (n, p, h, w).
    """
    first, second = mask[:, None], _shifted(mask, offsets, fill=-1)
    same = first == second
    labeled = (first >= 0) & (second >= 0)
    return Pairs(same & (first > 0), same & (first == 0), labeled & ~same)


def affinity_loss(affinity: Tensor, pairs: Pairs) -> Tensor:
    """Ask for affinity within a class and for none between two (IRNet, Section 4.4).

    ``-log(a + 1e-5)``, averaged over foreground and over background pairs, half of each, and
    ``-log(1 + 1e-5 - a)``, averaged over pairs of different ids; half the sum of the two, as in
    IRNet's code. A kind without any pair counts 0.

    Parameters
    ----------
    affinity : Tensor of shape (n, p, h, w)
        From :func:`path_affinity`.
    pairs : Pairs
        From :func:`pixel_pairs`.

    Returns
    -------
    Tensor
        A scalar, float32 at least.
    """
    affinity = affinity if affinity.dtype == torch.float64 else affinity.float()
    near, far = -(affinity + _EPSILON).log(), -(1 + _EPSILON - affinity).log()
    together = (_mean(near, pairs.foreground) + _mean(near, pairs.background)) / 2
    return (together + _mean(far, pairs.different)) / 2


def displacement_loss(displacement: Tensor, pairs: Pairs, offsets: list[Offset]) -> Tensor:
    """Ask the pixels of an object to point at one place, its center (IRNet, Section 4.3).

    For a pixel i and one at an offset d from it ``D(i) - D(i + d)`` should be d on the foreground
    and 0 on the background: their absolute differences, averaged over pairs and both axes, half of
    each. The sign is that of IRNet and of CheXseg's code; CheXseg's paper (Appendix B.3) has it the
    other way round, with which pixels would point away from the center.

    Parameters
    ----------
    displacement : Tensor of shape (n, 2, h, w)
        From each pixel to its object's center, (dy, dx), up to a constant.
    pairs : Pairs
        From :func:`pixel_pairs`.
    offsets : list of (int, int)
        The offsets that the pairs are of.

    Returns
    -------
    Tensor
        A scalar, float32 at least.

    Examples
    --------
    >>> offsets, mask = half_disc(2), torch.ones(1, 3, 3, dtype=torch.long)
    >>> rows = torch.arange(3.0).expand(3, 3)
    >>> to_center = torch.stack([1 - rows.T, 1 - rows])[None]
    >>> displacement_loss(to_center, pixel_pairs(mask, offsets), offsets).item()
    0.0
    """
    displacement = displacement if displacement.dtype == torch.float64 else displacement.float()
    difference = displacement[:, :, None] - _shifted(displacement, offsets, fill=0)
    wanted = torch.tensor(offsets).to(difference).T[:, :, None, None]
    foreground = _mean((difference - wanted).abs().mean(1), pairs.foreground)
    return (foreground + _mean(difference.abs().mean(1), pairs.background)) / 2


def _strongest(outside: Tensor, offsets: list[Offset], size: tuple[int, int]) -> Tensor:
    """Give the flat index into `outside` of the strongest edge on each path, (n, p, h, w)."""
    height, width = size
    reach, row = outside.shape[1] - height, outside.shape[2]
    windows = outside.unfold(1, height, 1).unfold(2, width, 1)
    first = torch.arange(height)[:, None] * row + torch.arange(width) + reach
    first = first.to(outside.device)
    found = []
    for offset in offsets:
        y, x = torch.tensor(straight_path(offset), device=outside.device).T
        which = windows[:, y, x + reach].argmax(1)
        found.append((y * row + x)[which] + first)
    return torch.stack(found, dim=1)


def _shifted(values: Tensor, offsets: list[Offset], *, fill: float) -> Tensor:
    """Give (..., p, h, w): what lies at each offset from each pixel of (..., h, w)."""
    padded = _padded(values, offsets, fill=fill)
    height, width = values.shape[-2:]
    reach = padded.shape[-2] - height
    corners = [(y, x + reach) for y, x in offsets]
    return torch.stack([padded[..., y : y + height, x : x + width] for y, x in corners], dim=-3)


def _padded(values: Tensor, offsets: list[Offset], *, fill: float) -> Tensor:
    """Pad maps at the bottom and on both sides, as far as the offsets reach."""
    reach = max(max(dy, abs(dx)) for dy, dx in offsets)
    return F.pad(values, (reach, reach, 0, reach), value=fill)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
