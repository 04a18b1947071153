"""Images that are opened when they are taken, one at a time, and not kept."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data.arrays import require_finite
from segclf.data.sources import Rows, Source

__all__ = ["OpenedSource"]


class OpenedSource(Source):
    """Images that are opened when they are taken; gray ones among RGB are repeated to 3 channels.

    Parameters
    ----------
    n_samples : int
    n_channels : int or None
        None is 3 if any image has 3, for which all headers are read.
    n_spatial : int
        3 for volumes.
    """

    lazy = True

    def __init__(self, n_samples: int, n_channels: int | None, n_spatial: int = N_SPATIAL) -> None:
        self.n_samples, self.n_spatial = n_samples, n_spatial
        self._sizes = np.full((n_samples, n_spatial), -1, dtype=np.intp)
        self._dtypes: list[np.dtype[Any] | None] = [None] * n_samples
        self._asked = n_channels is not None
        self.n_channels = n_channels or 0
        if n_channels is None:
            channels = [self._look(row) for row in range(n_samples)]
            self.n_channels = 3 if set(channels) == {1, 3} else channels[0]
            for row, found in enumerate(channels):
                self._require_channels(found, row)

    @abstractmethod
    def header(self, row: int) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
        """Return size (height, width), channels and type of an image.

        Parameters
        ----------
        row : int

        Returns
        -------
        tuple
        """

    @abstractmethod
    def open(self, row: int) -> NDArray[Any]:
        """Return an image as a new array (h, w, c).

        Parameters
        ----------
        row : int

        Returns
        -------
        array
        """

    def take(self, rows: Rows) -> list[NDArray[Any]]:
        """Open each; see `Source.take`."""
        return [self._read(row) for row in rows.tolist()]

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Read the headers that were not yet read; see `Source.sizes`."""
        for row in rows[self._sizes[rows, 0] < 0].tolist():
            self._require_channels(self._look(row), row)
        return self._sizes[rows]

    def known_sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sizes in headers that were read; see `Source.known_sizes`."""
        return self._sizes[rows]

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Read the headers that were not yet read; see `Source.dtypes`."""
        self.sizes(rows)
        return [np.dtype(self._dtypes[row]) for row in rows.tolist()]

    def _look(self, row: int) -> int:
        """Read a header, store it, and return the number of channels."""
        try:
            self._sizes[row], n_channels, self._dtypes[row] = self.header(row)
        except (OSError, ValueError) as error:
            raise _of_image(error, row) from error
        return n_channels

    def _read(self, row: int) -> NDArray[Any]:
        try:
            image = self.open(row)
        except (OSError, ValueError) as error:
            raise _of_image(error, row) from error
        require_finite(image[None], np.array([self.name(row).removeprefix("Image ")]), "Image")
        self._require_channels(image.shape[-1], row)
        if image.shape[-1] < self.n_channels:
            return np.repeat(image, self.n_channels, axis=-1)
        return image

    def _require_channels(self, n_channels: int, row: int) -> None:
        if n_channels == self.n_channels or (n_channels == 1 and self.n_channels == 3):
            return
        if self._asked:
            reason = f"{self.n_channels} are expected, as in fit (n_channels={self.n_channels})"
        else:
            reason = f"{self.name(0)} has {self.n_channels}".replace("Image", "image", 1)
        raise ValueError(
            f"{self.name(row)} has {n_channels} channels, but {reason}. "
            "Only gray images among RGB ones are converted (repeated to 3 channels)."
        )


def _of_image(error: Exception, row: int) -> ValueError:
    """Add the name of the image, if the message does not have it yet."""
    text = str(error)
    return ValueError(text if text.startswith(f"Image {row}") else f"Image {row}: {text}")
