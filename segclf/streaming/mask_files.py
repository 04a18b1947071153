"""Masks to files that are named by the numbers of their images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segclf.data import Images, save_mask

ENDINGS = {"png": ".png", "nifti": ".nii.gz"}
_IN_A_FOLDER = 1000


class MaskFiles:
    """Writes masks into ``masks/000012/000012345.png`` and its like, a thousand to a folder.

    Names of images play no part: they need not be unique, nor be names of files.

    Parameters
    ----------
    folder : Path
    kind : {"png", "nifti"}
    n_threads : int
        How many write at once.
    """

    def __init__(self, folder: Path, kind: str, n_threads: int) -> None:
        self._folder, self._ending, self._n_threads = folder, ENDINGS[kind], n_threads

    def write(
        self, masks: Mapping[int, NDArray[Any] | None], images: Images, indices: list[int]
    ) -> dict[int, str]:
        """Write masks, replacing what was left of an interrupted run.

        Returns
        -------
        dict of int to str
            The name of each, from the folder of the results on.
        """
        names = {index: self._name(index) for index in masks}
        for folder in {os.path.dirname(name) for name in names.values()}:
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        places = {index: place for place, index in enumerate(indices)}

        def save(index: int) -> None:
            mask, like = masks[index], images.path(places[index])
            if mask is not None:
                save_mask(self._folder / names[index], mask, like=like, n_spatial=images.n_spatial)

        with ThreadPoolExecutor(self._n_threads) as pool:
            list(pool.map(save, names))
        return names

    def _name(self, index: int) -> str:
        return f"masks/{index // _IN_A_FOLDER:06}/{index:09}{self._ending}"
