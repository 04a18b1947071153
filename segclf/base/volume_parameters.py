"""Parameters of estimators whose network may read volumes."""

from typing import Any, ClassVar

from segclf.axes import N_SPATIAL
from segclf.base.network_holder import NetworkHolder
from segclf.data import Images
from segclf.networks import choose_strides


class VolumeParameters(NetworkHolder):
    """Parameters of estimators that read volumes if a network for volumes is named.

    Parameters
    ----------
    encoder_strides : sequence of (int, int, int) or None
        For an encoder of volumes: the factor, 1 or 2, by which each stage shrinks slices, rows and
        columns. None uses nnU-Net's rule, with up to 4 stages: halve an axis as soon as its voxels
        are less than twice as long as those of the others, and while 8 voxels of it are left. The
        lengths come from the spacing of files; without it, volumes count as cubes.
    """

    encoder_strides: Any = None

    _reads_volumes: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder_strides": [tuple, list, None],
    }

    def _strides(self, images: Images, size: tuple[int, ...] | None) -> Any:
        """Return the strides of an encoder of volumes; for images None, or what was given."""
        if images.n_spatial == N_SPATIAL or self.encoder_strides is not None:
            return self.encoder_strides
        depth = getattr(self, "encoder_depth", None)
        seen = size or tuple(images.sizes()[0].tolist())
        spacing = getattr(self, "spacing", None) or images.spacing()
        return choose_strides(seen, spacing, depth=depth)
