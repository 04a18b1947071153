"""Segmenters that learn from crops of images and volumes."""

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
    """Parameters of segmenters that may learn from crops, and read volumes on a common grid.

    Parameters
    ----------
    crop_size : int, (int, int) or None
        Train on random crops of this height and width, cut from each image at its `image_size_`,
        anew in each epoch; for small findings in large images. Images with fewer rows or columns
        keep all of them. Prediction uses whole images, or tiles. The label of an image without a
        mask need not hold for a crop, so it counts only if it is 0; a frozen encoder keeps no maps.
        For volumes: (slices, height, width). They keep their own sizes, which may differ; only
        their crops are read, and held-out volumes are scored on crops, too.
    finding_fraction : float
        Minimum share of the crops in each batch that show a finding, as far as enough images of the
        batch have one. 0 cuts all crops at random. nnU-Net uses .33 (Isensee et al., Nature Methods
        2021); its crops are centered on the finding, ours contain it anywhere.
    spacing : (float, float, float) or None
        For volumes: distance in mm between slices, rows and columns to which all volumes are
        resampled, for training and prediction. Masks and probabilities are returned on each
        volume's own grid. Files store their spacing; for arrays use `segclf.data.with_spacing`.
        None leaves voxels unchanged.
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
        """Return the size that the network sees in training, if it is fixed."""
        crops = self._make_crops()
        if crops is None and samples.grid is not None:
            return samples.size_of(0)
        return samples.size if crops is None else crops.size


def check_spacing(segmenter: Any, samples: Samples) -> None:
    """Refuse `spacing` if it does not suit the images or the other parameters.

    Raises
    ------
    ValueError
        For images, together with `image_size`, and without `crop_size` if the volumes then have
        several sizes.
    """
    spacing = f"spacing={segmenter.spacing!r}"
    if samples.images.n_spatial == N_SPATIAL:
        raise ValueError(f"{spacing} is for volumes, but X holds images; expected None.")
    if samples.size is not None:
        raise ValueError(f"{spacing} and image_size={samples.size}; expected only one of them.")
    grid = common_grid(segmenter.spacing, samples.images)
    if segmenter.crop_size is None and (grid != grid[0]).any():
        raise ValueError(
            f"With {spacing} volumes have sizes from {tuple(grid.min(axis=0).tolist())} to "
            f"{tuple(grid.max(axis=0).tolist())}, but one batch holds one size. Set crop_size, "
            "such as (32, 64, 64), to learn from crops of one size."
        )


def common_grid(spacing: Any, images: Images) -> NDArray[np.intp]:
    """Return the size (n, 3) of each volume when it is resampled to a spacing in mm.

    Raises
    ------
    ValueError
        If `spacing` is not valid, or the spacing of a volume is unknown.
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
            f"spacing={spacing!r} resamples volumes to a common spacing, but the spacing of "
            f"{images.name(index)} is unknown. Give files that store it, or "
            "segclf.data.with_spacing(X, (slices, rows, columns)), or spacing=None."
        )
    sizes = images.sizes() * np.array(given, dtype=float) / wanted
    return np.maximum(1, np.round(sizes)).astype(np.intp)
