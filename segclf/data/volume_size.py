"""The maximum size of a volume."""

import math

__all__ = ["check_volume_size"]

# Volumes with more values are refused: 2 GiB of 16 bits.
_MAX_VALUES = 2**30


def check_volume_size(shape: tuple[int, ...]) -> None:
    """Refuse a volume that is too large by its header, before memory is allocated.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array that would be read.

    Raises
    ------
    ValueError
        For a length below 1, or more than 2**30 values.

    Examples
    --------
    >>> from segclf.data import check_volume_size
    >>> check_volume_size((64, 512, 512))
    >>> check_volume_size((10**6, 10**6, 10**6))
    Traceback (most recent call last):
    ValueError: ...
    """
    lengths = [int(length) for length in shape]
    if min(lengths) < 1 or math.prod(lengths) > _MAX_VALUES:
        raise ValueError(
            f"its header states {' x '.join(map(str, lengths))} values; expected at least 1 and at "
            f"most {_MAX_VALUES:,}"
        )
