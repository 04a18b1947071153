"""Segmenters that learn from parts of images and volumes."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES
from segclf.base.image_size import sides
from segclf.base.spatial import n_spatial
from segclf.base.volume_parameters import VolumeParameters
from segclf.data import Images, RandomCrops, Samples


class Cropping(VolumeParameters):
    """Parameters of segmenters that may learn from parts, and read volumes on a common grid.

    Parameters
    ----------
    crop_size : int, (int, int) or None
        Train on random parts of this height and width, cut out of each image at its `image_size_`
        anew in each epoch; for small findings in large images. Images of fewer rows or columns keep
        all of them. Whole images are predicted, or tiles. The label of an image without a mask need
        not hold for a part, and counts only where it is 0; a frozen encoder keeps no maps. Of
        volumes (slices, height, width): they may be of any sizes, which they keep, only their parts
        are read, and those held out are looked at in parts, too.
    finding_fraction : float
        Share of the crops of each batch that show a finding, at least, as far as so many of its
        images have any. 0 cuts all anywhere. nnU-Net's .33 (Isensee et al., Nature Methods 2021);
        its crops have the finding in their middle, ours anywhere.
    spacing : (float, float, float) or None
        Of volumes: the distance of slices, rows and columns in mm to which all are brought, for
        training and prediction; masks and probabilities come back on each volume's own grid. Files
        say their own distances; of arrays `segclf.data.with_spacing` does. None takes voxels as
        they come.
    """

    crop_size: Any = None
    finding_fraction: float = 0.33
    spacing: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "crop_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "finding_fraction": [Interval(Real, 0, 1, closed="both")],
        "spacing": [tuple, list, None],
    }

    def _make_crops(self) -> RandomCrops | None:
        if self.crop_size is None:
            return None
        size = sides("crop_size", self.crop_size, n_spatial(self))
        return RandomCrops(size=size, finding_fraction=self.finding_fraction)

    @property
    def _keeps_sizes(self) -> bool:
        volumes = n_spatial(self) != N_SPATIAL
        return volumes and (self.crop_size is not None or self.spacing is not None)

    def _grid(self, images: Images) -> NDArray[np.intp] | None:
        return None if self.spacing is None else common_grid(self.spacing, images)

    def _seen_size(self, samples: Samples) -> tuple[int, ...] | None:
        """Return the size that the network sees in training, where there is one."""
        crops = self._make_crops()
        if crops is None and samples.grid is not None:
            return samples.size_of(0)
        return samples.size if crops is None else crops.size


def check_spacing(segmenter: Any, samples: Samples) -> None:
    """Refuse `spacing` where volumes cannot be learned from with it.

    Raises
    ------
    ValueError
        For images, beside `image_size`, and without `crop_size` for volumes that are of several
        sizes then.
    """
    spacing = f"spacing={segmenter.spacing!r}"
    if samples.images.n_spatial == N_SPATIAL:
        raise ValueError(f"{spacing} is of volumes, and images are read; expected None.")
    if samples.size is not None:
        raise ValueError(f"{spacing} and image_size={samples.size}; expected one of both.")
    grid = common_grid(segmenter.spacing, samples.images)
    if segmenter.crop_size is None and (grid != grid[0]).any():
        raise ValueError(
            f"With {spacing} volumes are of sizes from {tuple(grid.min(axis=0).tolist())} to "
            f"{tuple(grid.max(axis=0).tolist())}, and one batch holds one size. Set crop_size, "
            "such as (32, 64, 64), to learn from parts of one size."
        )


def common_grid(spacing: Any, images: Images) -> NDArray[np.intp]:
    """Return the size (n, 3) of each volume with voxels of a spacing in mm.

    Raises
    ------
    ValueError
        Where the spacing is none, or nobody said that of a volume.
    """
    wanted = np.asarray(spacing, dtype=float)
    if wanted.shape != (N_SPATIAL_OF_VOLUMES,) or not (wanted > 0).all():
        raise ValueError(
            f"spacing={spacing!r}; expected the distance of slices, rows and columns in mm, such "
            "as (2.0, 1.0, 1.0), or None."
        )
    given = [images.spacing_of(index) for index in range(len(images))]
    for index in [index for index, each in enumerate(given) if each is None][:1]:
        raise ValueError(
            f"spacing={spacing!r} brings volumes to a common spacing, and nobody said that of "
            f"{images.name(index)}. Give files that say it, or "
            "segclf.data.with_spacing(X, (slices, rows, columns)), or spacing=None."
        )
    sizes = images.sizes() * np.array(given, dtype=float) / wanted
    return np.maximum(1, np.round(sizes)).astype(np.intp)
