"""What estimators share whose network may read volumes."""

from typing import Any, ClassVar

from segclf.axes import N_SPATIAL
from segclf.base.network_holder import NetworkHolder
from segclf.data import Images
from segclf.networks import choose_strides


class VolumeParameters(NetworkHolder):
    """Parameters of estimators that read volumes where they are asked for it by name.

    Parameters
    ----------
    encoder_strides : sequence of (int, int, int) or None
        Of an encoder of volumes: for each of its stages by how much it shrinks slices, rows and
        columns, 1 or 2. None halves an axis as soon as its voxels are less than twice as long as
        those of the others, by the spacing of files, else as if volumes were cubes, and while 8
        voxels of it are left: nnU-Net's rule, with up to 4 stages.
    """

    encoder_strides: Any = None

    _reads_volumes: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder_strides": [tuple, list, None],
    }

    def _strides(self, images: Images, size: tuple[int, ...] | None) -> Any:
        """Return the strides of an encoder of volumes; of images None, or what was asked for."""
        if images.n_spatial == N_SPATIAL or self.encoder_strides is not None:
            return self.encoder_strides
        depth = getattr(self, "encoder_depth", None)
        seen = size or tuple(images.sizes()[0].tolist())
        spacing = getattr(self, "spacing", None) or images.spacing()
        return choose_strides(seen, spacing, depth=depth)
