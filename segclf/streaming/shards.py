"""The share of all images that a machine predicts, and its portions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Number of images that are predicted at once; a shard consists of whole blocks.
BLOCK = 64
# Number of images whose results are written at once.
CHUNK = 16 * BLOCK


@dataclass(frozen=True)
class Shard:
    """One of several parts of equal size, each of consecutive images.

    Parameters
    ----------
    number : int
        Number of the shard, from 1.
    of : int
        Number of shards.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"3/16"``.

        Raises
        ------
        ValueError
            For anything else.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"The shard is {text!r}; expected i/n, from 1/n to n/n, such as 3/16.")
        return cls(int(found[1]), int(found[2]))

    def rows(self, n_images: int) -> range:
        """Return the numbers of its images: whole blocks, possibly none."""
        n_blocks = -(-n_images // BLOCK)
        start, stop = (n_blocks * number // self.of for number in (self.number - 1, self.number))
        return range(start * BLOCK, min(stop * BLOCK, n_images))

    def name(self, stem: str) -> str:
        """Return the stem of its files."""
        if self.of == 1:
            return stem
        width = len(str(self.of))
        return f"{stem}-{self.number:0{width}}-of-{self.of}"


def portions(rows: range, length: int) -> Iterator[range]:
    """Cut a range into ranges of a length; the last may be shorter."""
    for start in range(0, len(rows), length):
        yield rows[start : start + length]
