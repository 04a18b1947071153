"""Write masks to files that are named by the numbers of their images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segclf.axes import is_multilabel
from segclf.data import Images, save_mask

ENDINGS = {"png": ".png", "nifti": ".nii.gz"}
_IN_A_FOLDER = 1000


class MaskFiles:
    """Writes masks to files like ``masks/000012/000012345.png``, a thousand to a folder.

    Names of images do not matter: they need not be unique or valid file names. If classes may
    overlap, each has its own file, ``000012345-{0,1,2}.png``.

    Parameters
    ----------
    folder : Path
    kind : {"png", "nifti"}
    n_threads : int
        Number of threads that write.
    """

    def __init__(self, folder: Path, kind: str, n_threads: int) -> None:
        self._folder, self._ending, self._n_threads = folder, ENDINGS[kind], n_threads

    def write(
        self, masks: Mapping[int, NDArray[Any]], images: Images, indices: list[int]
    ) -> dict[int, str]:
        """Write masks, replacing those of an interrupted run.

        Returns
        -------
        dict of int to str
            The path of each, relative to the folder of the results.
        """
        files = {index: self._files(index, mask, images.n_spatial) for index, mask in masks.items()}
        for folder in {os.path.dirname(name) for name, _ in files.values()}:
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        likes = {index: images.path(place) for place, index in enumerate(indices)}

        def save(index: int) -> None:
            for name, mask in files[index][1]:
                path = self._folder / name
                save_mask(path, mask, like=likes[index], n_spatial=images.n_spatial)

        with ThreadPoolExecutor(self._n_threads) as pool:
            list(pool.map(save, files))
        return {index: name for index, (name, _) in files.items()}

    def _files(
        self, index: int, mask: NDArray[Any], n_spatial: int
    ) -> tuple[str, list[tuple[str, NDArray[Any]]]]:
        """Return the name of the mask of an image, and its files."""
        stem, ending = f"masks/{index // _IN_A_FOLDER:06}/{index:09}", self._ending
        if not is_multilabel(mask, n_spatial):
            return stem + ending, [(stem + ending, mask)]
        numbers = [str(number) for number in range(len(mask))]
        parts = [(f"{stem}-{each}{ending}", mask[int(each)]) for each in numbers]
        together = f"{stem}-{{{','.join(numbers)}}}{ending}"
        return parts[0][0] if len(parts) == 1 else together, parts
