"""What a plugin may offer: four hooks, and a protocol for what each of them promises.

A distribution names a module in its entry points of the group ``segclf``; functions of that module
marked with :data:`hookimpl` answer the hooks. ``docs/write_a_plugin.md`` shows one from end to end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import pluggy

if TYPE_CHECKING:  # keeps `python -m segclf plugins` and every plugin's door free of numpy
    import os

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ImageData",
    "ImageHeader",
    "PseudoLabeler",
    "Reader",
    "Summarizer",
    "Thresholder",
    "Writer",
    "hookimpl",
    "segclf_pseudo_labelers",
    "segclf_readers",
    "segclf_summarizers",
    "segclf_thresholders",
]

hookimpl = pluggy.HookimplMarker("segclf")
_hookspec = pluggy.HookspecMarker("segclf")


@_hookspec
def segclf_thresholders() -> dict[str, str]:  # type: ignore[empty-body]
    """Offer thresholders.

    Returns
    -------
    dict of str to str
        ``{name: "package.module:Class"}``; each class keeps the promise of :class:`Thresholder`
        and is imported on its first use.
    """


@_hookspec
def segclf_pseudo_labelers() -> dict[str, str]:  # type: ignore[empty-body]
    """Offer pseudo-labelers.

    Returns
    -------
    dict of str to str
        ``{name: "package.module:Class"}``; each class keeps the promise of :class:`PseudoLabeler`
        and is imported on its first use.
    """


@_hookspec
def segclf_readers() -> dict[str, tuple[str, list[str]]]:  # type: ignore[empty-body]
    """Offer readers of image files.

    Returns
    -------
    dict of str to (str, list of str)
        ``{name: ("package.module:Class", [".suffix", ...])}``; each class keeps the promise of
        :class:`Reader` and is imported for the first file whose name ends in one of its suffixes,
        of which the longest counts: ``.nii.gz`` before ``.gz``.
    """


@_hookspec
def segclf_summarizers() -> dict[str, str]:  # type: ignore[empty-body]
    """Offer summarizers.

    Returns
    -------
    dict of str to str
        ``{name: "package.module:Class"}``; each class keeps the promise of :class:`Summarizer`
        and is imported on its first use.
    """


@runtime_checkable
class Thresholder(Protocol):
    """Maps a gray image to a mask, without learning; has ``get_params`` and ``set_params``."""

    def __call__(self, image: NDArray[Any], /) -> NDArray[Any]:
        """Separate one gray image into object and background.

        Parameters
        ----------
        image : ndarray of shape (h, w)
            Any real dtype and range: 8 bit, 16 bit or float.

        Returns
        -------
        ndarray of bool of shape (h, w)
            True where the object is. A constant image gives a mask too.
        """


@runtime_checkable
class PseudoLabeler(Protocol):
    """A scikit-learn estimator that predicts masks for images that have none.

    One with an attribute ``reads_volumes`` that is False is refused for volumes, (d, h, w) in place
    of (h, w).
    """

    def fit(self, X: Any, y: Any = None, *, labels: ArrayLike | None = None) -> PseudoLabeler:
        """Learn from masks and labels; return self.

        Parameters
        ----------
        X : images
            Everything that a segmenter takes.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,), optional
            Image labels, -1 where unlabeled.
        """

    def predict(self, X: Any, *, labels: ArrayLike | None = None) -> Any:
        """Predict masks.

        Parameters
        ----------
        X : images
            The n images to predict masks for.
        labels : array-like of shape (n,), optional
            Labels of these images, -1 where unlabeled. An image labeled 0 has no object.

        Returns
        -------
        ndarray of shape (n, h, w) or list of ndarray of shape (h, w)
            Mask ids at each image's own size, -1 where the labeler does not commit itself.
        """


@runtime_checkable
class Summarizer(Protocol):
    """A scikit-learn classifier from predicted masks (or embeddings) to image labels.

    ``P`` is an array (n, k, h, w) of the probabilities of the k foreground classes, or a list of
    n arrays (k, h, w) of different sizes. After `fit`, ``classes_`` holds the sorted labels. The
    scikit-learn tag ``input_tags.two_d_array`` is False, else ``P`` comes as rows (n, k * h * w).
    One with an attribute ``layer`` (str) is given the maps of that layer of the segmenter instead,
    see `segclf.networks.layer_reader`. One whose `fit` has a parameter ``areas`` is told how large
    findings are: (m, k), which fraction of its labeled pixels each of the k classes covers in the
    masks of the training images, NaN where there is no mask; a row for each map of ``P`` where the
    tag ``requires_fit`` is True, and else for each training image. One whose `fit` and
    `predict_proba` have a parameter ``inside`` is told what the encoder says inside of the
    predicted findings: (n, d), its maps of strides 8 and 16 averaged with the probability of any
    finding as weight; not where `SegmentationClassifier` has no such maps. One with an attribute
    ``reads_volumes`` that is False is refused for maps of volumes, (k, d, h, w).
    """

    def fit(self, P: Any, y: ArrayLike) -> Summarizer:
        """Learn from masks and labels, `y` being (n,) labels or an (n, k) indicator."""

    def predict(self, P: Any) -> NDArray[Any]:
        """Give each image's label (n,), or the indicator (n, k)."""

    def predict_proba(self, P: Any) -> NDArray[Any]:
        """Give the probabilities (n, n_classes), whose largest agrees with `predict`."""


class ImageHeader(NamedTuple):
    """What a file says of its image before anything is decoded.

    Attributes
    ----------
    height, width, n_channels : int
        As the array of the image has them.
    dtype : numpy.dtype
        Of that array.
    depth : int or None
        How many slices a volume has; None for an image.
    spacing : tuple of float, or None
        Millimetres from one pixel to the next along (h, w), or (d, h, w); None where unknown.
    affine : array of shape (4, 4), or None
        From (d, h, w, 1), with d = 0 for an image, to millimetres to the patient's right, front and
        head; None where unknown. A mask with another affine is refused.
    """

    height: int
    width: int
    n_channels: int
    dtype: np.dtype[Any]
    depth: int | None = None
    spacing: tuple[float, ...] | None = None
    affine: NDArray[np.float64] | None = None


class ImageData(NamedTuple):
    """The pixels of a file, and what their axes are.

    Attributes
    ----------
    array : array
        Real numbers, all of the file's bits; bright is high. Of a mask the ids as stored.
    axes : {"hwc", "dhwc"}, or of masks {"hw", "dhw", "khw", "kdhw"}
        The axes of the array in their order: depth, height, width, channels, classes that may
        overlap.
    spacing, affine
        As in :class:`ImageHeader`.
    """

    array: NDArray[Any]
    axes: str
    spacing: tuple[float, ...] | None = None
    affine: NDArray[np.float64] | None = None


#: What a reader reads: a file, or where its `folders` is True a folder or the files of one volume.
ReadPath: TypeAlias = "str | os.PathLike[str] | list[str]"
#: Of a file that is written.
WritePath: TypeAlias = "str | os.PathLike[str]"


@runtime_checkable
class Reader(Protocol):
    """Reads files of one kind, as images (h, w, c) or volumes (d, h, w, c), or as masks.

    A reader is made without arguments and keeps nothing of what it read. Whatever it raises, its
    caller names the file; a damaged or truncated file is an error, and a size is checked before
    anything of that size is allocated. One with an attribute ``folders`` that is True is also given
    folders, and lists of files. One with a method ``read_slice(path, z, *, mask)`` is asked for a
    slice by it: (h, w, c), or (h, w) of ids where `mask` is True; else `read` and `read_mask` are.
    """

    def sniff(self, start: bytes) -> bool:
        """Tell a file of this kind by its first bytes, where its name does not tell.

        Parameters
        ----------
        start : bytes
            At most 1,024.
        """

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read what the file says of its image; no pixel is decoded."""

    def read(self, path: ReadPath) -> ImageData:
        """Read the image: axes "hwc" or "dhwc", as the header says."""

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read the file as a mask: ids as stored, axes "hw", "dhw", "khw" or "kdhw"."""


@runtime_checkable
class Writer(Protocol):
    """What a reader may do, too, if it can: write files of its kind, whole or not at all."""

    def write(self, path: WritePath, image: ImageData) -> None:
        """Write an image (h, w, c) or a volume (d, h, w, c), to be read as the same.

        Raises
        ------
        ValueError
            For what such a file does not hold.
        """

    def write_mask(self, path: WritePath, mask: ImageData, like: WritePath | None) -> None:
        """Write a mask, which lies where the image of the file `like` does.

        Raises
        ------
        ValueError
            For what such a file does not hold, or if it has another size than `like`.
        """
