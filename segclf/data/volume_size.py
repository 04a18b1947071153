"""How large a volume may be."""

import math

__all__ = ["check_volume_size"]

# Volumes of more values are refused: 2 GiB of 16 bits.
_MAX_VALUES = 2**30


def check_volume_size(shape: tuple[int, ...]) -> None:
    """Refuse what a header says of a volume, before anything of that size is allocated.

    Parameters
    ----------
    shape : tuple of int
        Of the array that would be read.

    Raises
    ------
    ValueError
        For a length below 1, and for more than 2**30 values.
    """
    lengths = [int(length) for length in shape]
    if min(lengths) < 1 or math.prod(lengths) > _MAX_VALUES:
        raise ValueError(
            f"its header says {' x '.join(map(str, lengths))} values; expected at least 1, and at "
            f"most {_MAX_VALUES:,}"
        )
