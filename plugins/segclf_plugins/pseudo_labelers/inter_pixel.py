"""Losses over pairs of near pixels: whether both belong together, and where their object is.

Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel relations"
(IRNet), CVPR 2019, Section 4. A pair is a pixel and an offset (dy, dx) from :func:`half_disc`.
Masks hold ids, with 0 for the background and -1 for unlabeled pixels. Pairs with a pixel of -1 or
outside the image do not count.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Offset = tuple[int, int]

_EPSILON = 1e-5  # as in IRNet's code, inside both logarithms


class Pairs(NamedTuple):
    """The relations of pairs, each a bool tensor (n, p, h, w).

    Parameters
    ----------
    foreground : Tensor
        Both pixels are of one class.
    background : Tensor
        Both are background.
    different : Tensor
        The ids differ.
    """

    foreground: Tensor
    background: Tensor
    different: Tensor


def half_disc(radius: int) -> list[Offset]:
    """List the offsets (dy, dx) nearer than `radius` pixels, with only one of each opposite pair.

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
    """List the pixels within a distance below 1 of the line from (0, 0) to `offset`.

    Examples
    --------
    >>> straight_path((1, 2))
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    """
    dy, dx = offset
    box = ((y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1))
    return [(y, x) for y, x in box if (dy * x - dx * y) ** 2 < dy * dy + dx * dx]


def path_affinity(edge: Tensor, offsets: list[Offset]) -> Tensor:
    """Return 1 minus the strongest edge on the straight path between the pixels of each pair.

    Parameters
    ----------
    edge : Tensor of shape (n, h, w)
        Probability of a boundary.
    offsets : list of (int, int)
        The p offsets, from :func:`half_disc`.

    Returns
    -------
    Tensor of shape (n, p, h, w)
        Affinities; 0 for pairs with a pixel outside the image.

    Examples
    --------
    >>> path_affinity(torch.tensor([[[0.0, 0.75, 0.5]]]), [(0, 1), (0, 2)])
    tensor([[[[0.2500, 0.2500, 0.0000]],
    <BLANKLINE>
             [[0.2500, 0.0000, 0.0000]]]])
    """
    outside = _padded(edge, offsets, fill=1.0)
    # The positions of the strongest edges need no gradient, so only p values per pixel are kept.
    strongest = _strongest(outside.detach(), offsets, (edge.shape[1], edge.shape[2]))
    return 1 - outside.flatten(1).gather(1, strongest.flatten(1)).view_as(strongest)


def pixel_pairs(mask: Tensor, offsets: list[Offset]) -> Pairs:
    """Group the pairs of masks (n, h, w) by the labels of their two pixels.

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
    """Penalize low affinity within a class and high affinity between classes (Section 4.4).

    The loss is half the sum of two terms, as in IRNet's code. The first is ``-log(a + 1e-5)``,
    averaged over foreground pairs and over background pairs, half of each. The second is
    ``-log(1 + 1e-5 - a)``, averaged over pairs of different ids. A kind without pairs counts 0.

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
    """Train the pixels of an object to point at its center (IRNet, Section 4.3).

    For a pixel i and an offset d, ``D(i) - D(i + d)`` should be d on the foreground and 0 on the
    background. The loss is the mean absolute difference over pairs and both axes, half of each.
    The sign is as in IRNet and in CheXseg's code; with that in CheXseg's paper (Appendix B.3),
    pixels would point away from the center.

    Parameters
    ----------
    displacement : Tensor of shape (n, 2, h, w)
        From each pixel to its object's center, (dy, dx), up to a constant.
    pairs : Pairs
        From :func:`pixel_pairs`.
    offsets : list of (int, int)
        The offsets of the pairs.

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
    """Return the flat index into `outside` of the strongest edge on each path, (n, p, h, w)."""
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
    """Return (..., p, h, w): the value at each offset from each pixel of (..., h, w)."""
    padded = _padded(values, offsets, fill=fill)
    height, width = values.shape[-2:]
    reach = padded.shape[-2] - height
    corners = [(y, x + reach) for y, x in offsets]
    return torch.stack([padded[..., y : y + height, x : x + width] for y, x in corners], dim=-3)


def _padded(values: Tensor, offsets: list[Offset], *, fill: float) -> Tensor:
    """Pad maps at the bottom and on both sides by the reach of the offsets."""
    reach = max(max(dy, abs(dx)) for dy, dx in offsets)
    return F.pad(values, (reach, reach, 0, reach), value=fill)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
