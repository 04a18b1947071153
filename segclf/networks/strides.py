"""Strides of each stage of a network of volumes, axis by axis.

The rule is nnU-Net's (Isensee et al., "nnU-Net: a self-configuring method for deep learning-based
biomedical image segmentation", Nature Methods 2021, supplementary note 2): an axis with long
voxels, such as that of the slices of a CT, is not halved until the voxels are as long on the other
axes.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

#: One factor, 1 or 2, for slices, rows and columns.
Stride = tuple[int, int, int]

#: Default number of stages.
DEPTH = 4
# Voxels are long if they are this number of times as long as on the finest axis.
_LONG = 2
# An axis is halved only if at least this number of voxels remains.
_FEWEST = 4
# The minimum of MONAI's DynUNet.
_FEWEST_STAGES = 2


def choose_strides(
    size: Sequence[int], spacing: Sequence[float] | None = None, *, depth: int | None = None
) -> list[list[int]]:
    """Choose the axes that each stage halves.

    Parameters
    ----------
    size : (int, int, int)
        Number of slices, rows and columns that the network sees.
    spacing : (float, float, float), optional
        Distance of their centers, in any unit. None assumes that volumes are cubes, so that few
        slices are far apart.
    depth : int, optional
        Number of stages, at most; 4 by default. Small volumes have fewer, but at least two.

    Returns
    -------
    list of [int, int, int]
        The factors of slices, rows and columns for each stage, 1 or 2.

    Examples
    --------
    >>> choose_strides((16, 64, 64), spacing=(4, 1, 1))
    [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]]
    >>> choose_strides((5, 16, 16))
    [[1, 2, 2], [1, 2, 2]]
    """
    lengths = [int(length) for length in size]
    distances = [max(lengths) / length for length in lengths] if spacing is None else [*spacing]
    strides: list[list[int]] = []
    while len(strides) < (depth or DEPTH):
        halved = _halved(lengths, distances)
        if len(strides) >= _FEWEST_STAGES and not any(halved):
            break
        strides.append([2 if each else 1 for each in halved])
        lengths = [length // factor for length, factor in zip(lengths, strides[-1], strict=True)]
        distances = [each * factor for each, factor in zip(distances, strides[-1], strict=True)]
    return strides


def choose_kernels(strides: Sequence[Sequence[int]]) -> list[list[int]]:
    """Choose the kernels of each level: 1 along an axis that is halved only later, else 3.

    Such an axis has long voxels, so that neighbors along it are far away.

    Parameters
    ----------
    strides : sequence of (int, int, int)
        Strides of the stages; there is one more level than stages.

    Returns
    -------
    list of [int, int, int]

    Examples
    --------
    >>> choose_kernels([[1, 2, 2], [2, 2, 2]])
    [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
    """
    kernels = []
    for level in range(len(strides) + 1):
        waits = [
            any(stride[axis] > 1 for stride in strides[level:])
            and not any(stride[axis] > 1 for stride in strides[: level + 1])
            for axis in range(3)
        ]
        kernels.append([1 if each else 3 for each in waits])
    return kernels


def check_strides(strides: Any) -> list[list[int]]:
    """Return strides as lists.

    Raises
    ------
    ValueError
        For anything but three factors, 1 or 2, for each of 1 to 6 stages.
    """
    try:
        given = [list(stride) for stride in strides]
    except TypeError:
        given = []
    factors = [each for stride in given for each in stride]
    whole = all(isinstance(each, Integral) and each in (1, 2) for each in factors)
    if not whole or not 1 <= len(given) <= 6 or {len(stride) for stride in given} != {3}:
        raise ValueError(
            f"encoder_strides={strides!r:.80}; expected the factors of slices, rows and columns, "
            "1 or 2, for each of 1 to 6 stages, such as ((1, 2, 2), (2, 2, 2))."
        )
    return [[int(each) for each in stride] for stride in given]


def total_stride(strides: Sequence[Sequence[int]]) -> Stride:
    """Return the factors by which all stages together shrink slices, rows and columns."""
    total = [1, 1, 1]
    for stride in strides:
        total = [whole * factor for whole, factor in zip(total, stride, strict=True)]
    return total[0], total[1], total[2]


def _halved(lengths: Sequence[int], distances: Sequence[float]) -> list[bool]:
    """Tell which axes are halved next: the finest of those that are long enough."""
    long_enough = [length >= 2 * _FEWEST for length in lengths]
    finest = min((d for d, each in zip(distances, long_enough, strict=True) if each), default=0.0)
    return [
        each and distance < _LONG * finest
        for distance, each in zip(distances, long_enough, strict=True)
    ]
