"""The interface of plugins: four hooks, and a protocol for each type that they offer.

A distribution names a module in its entry points of the group ``segclf``; functions of that module
that are marked with :data:`hookimpl` implement the hooks. ``docs/write_a_plugin.md`` shows a
complete example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import pluggy

if TYPE_CHECKING:  # `python -m segclf plugins` and entry points of plugins need no numpy
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
        ``{name: "package.module:Class"}``; each class implements :class:`Thresholder`
        and is imported on its first use.
    """


@_hookspec
def segclf_pseudo_labelers() -> dict[str, str]:  # type: ignore[empty-body]
    """Offer pseudo-labelers.

    Returns
    -------
    dict of str to str
        ``{name: "package.module:Class"}``; each class implements :class:`PseudoLabeler`
        and is imported on its first use.
    """


@_hookspec
def segclf_readers() -> dict[str, tuple[str, list[str]]]:  # type: ignore[empty-body]
    """Offer readers of image files.

    Returns
    -------
    dict of str to (str, list of str)
        ``{name: ("package.module:Class", [".suffix", ...])}``; each class implements
        :class:`Reader` and is imported for the first file whose name ends in one of its suffixes;
        the longest suffix counts: ``.nii.gz`` before ``.gz``.
    """


@_hookspec
def segclf_summarizers() -> dict[str, str]:  # type: ignore[empty-body]
    """Offer summarizers.

    Returns
    -------
    dict of str to str
        ``{name: "package.module:Class"}``; each class implements :class:`Summarizer`
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
            True where the object is. A constant image also gives a mask.
        """


@runtime_checkable
class PseudoLabeler(Protocol):
    """A scikit-learn estimator that predicts masks for images that have none.

    A pseudo-labeler whose attribute ``reads_volumes`` is False is refused for volumes, (d, h, w)
    instead of (h, w).
    """

    def fit(self, X: Any, y: Any = None, *, labels: ArrayLike | None = None) -> PseudoLabeler:
        """Learn from masks and labels; return self.

        Parameters
        ----------
        X : images
            Images of any kind that a segmenter takes.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,), optional
            Image labels, -1 if unlabeled.
        """

    def predict(self, X: Any, *, labels: ArrayLike | None = None) -> Any:
        """Predict masks.

        Parameters
        ----------
        X : images
            The n images to predict masks for.
        labels : array-like of shape (n,), optional
            Labels of these images, -1 if unlabeled. An image labeled 0 has no object.

        Returns
        -------
        ndarray of shape (n, h, w) or list of ndarray of shape (h, w)
            Mask ids at each image's own size, -1 where the labeler is undecided.
        """


@runtime_checkable
class Summarizer(Protocol):
    """A scikit-learn classifier from predicted masks (or embeddings) to image labels.

    ``P`` is an array (n, k, h, w) of the probabilities of the k foreground classes, or a list of n
    arrays (k, h, w) of different sizes. After `fit`, ``classes_`` holds the sorted labels. The
    scikit-learn tag ``input_tags.two_d_array`` is False; otherwise ``P`` is passed as rows (n, k *
    h * w). A summarizer with an attribute ``layer`` (str) receives the maps of that layer of the
    segmenter instead, see `segclf.networks.layer_reader`. If `fit` has a parameter ``areas``, it
    receives the sizes of findings, (m, k): the fraction of its labeled pixels that each of the k
    classes covers in the masks of the training images, NaN without a mask. It has a row for each
    map of ``P`` if the tag ``requires_fit`` is True, and otherwise for each training image. If
    `fit` and `predict_proba` have a parameter ``inside``, they receive the encoder's features
    inside the predicted findings, (n, d): its maps of strides 8 and 16, averaged with the
    probability of any finding as weight; not if `SegmentationClassifier` has no such maps. A
    summarizer whose attribute ``reads_volumes`` is False is refused for maps of volumes, (k, d, h,
    w).
    """

    def fit(self, P: Any, y: ArrayLike) -> Summarizer:
        """Learn from masks and labels; `y` is (n,) labels or an (n, k) indicator."""

    def predict(self, P: Any) -> NDArray[Any]:
        """Return the label of each image, (n,), or the indicator (n, k)."""

    def predict_proba(self, P: Any) -> NDArray[Any]:
        """Return the probabilities (n, n_classes); the largest agrees with `predict`."""


class ImageHeader(NamedTuple):
    """The header of an image file, read before anything is decoded.

    Attributes
    ----------
    height, width, n_channels : int
        Shape of the image's array.
    dtype : numpy.dtype
        Type of that array.
    depth : int or None
        Number of slices of a volume; None for an image.
    spacing : tuple of float, or None
        Millimetres from one pixel to the next along (h, w), or (d, h, w); None if unknown.
    affine : array of shape (4, 4), or None
        Maps (d, h, w, 1), with d = 0 for an image, to millimetres to the patient's right, front and
        head; None if unknown. A mask with another affine is refused.
    """

    height: int
    width: int
    n_channels: int
    dtype: np.dtype[Any]
    depth: int | None = None
    spacing: tuple[float, ...] | None = None
    affine: NDArray[np.float64] | None = None


class ImageData(NamedTuple):
    """The pixels of a file, and their axes.

    Attributes
    ----------
    array : array
        Real numbers, with all bits of the file; bright is high. For a mask, the ids as stored.
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


#: Input of a reader: a file, or if its `folders` is True, a folder or the files of one volume.
ReadPath: TypeAlias = "str | os.PathLike[str] | list[str]"
#: Path of a file to write.
WritePath: TypeAlias = "str | os.PathLike[str]"


@runtime_checkable
class Reader(Protocol):
    """Reads files of one kind, as images (h, w, c) or volumes (d, h, w, c), or as masks.

    A reader is created without arguments and keeps nothing that it has read. Its caller adds the
    file name to its errors. It raises an error for a damaged or truncated file, and checks a size
    before it allocates memory of that size. A reader whose attribute ``folders`` is True also
    receives folders, and lists of files. If it has a method ``read_slice(path, z, *, mask)``,
    slices are read with it: (h, w, c), or (h, w) of ids if `mask` is True; otherwise with `read`
    and `read_mask`.
    """

    def sniff(self, start: bytes) -> bool:
        """Tell a file of this kind by its first bytes, if its name is not enough.

        Parameters
        ----------
        start : bytes
            At most 1,024.
        """

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read the header of the image; no pixel is decoded."""

    def read(self, path: ReadPath) -> ImageData:
        """Read the image: axes "hwc" or "dhwc", as in the header."""

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read the file as a mask: ids as stored, axes "hw", "dhw", "khw" or "kdhw"."""


@runtime_checkable
class Writer(Protocol):
    """Optional methods of a reader: write files of its kind, whole or not at all."""

    def write(self, path: WritePath, image: ImageData) -> None:
        """Write an image (h, w, c) or a volume (d, h, w, c); reading it returns the same.

        Raises
        ------
        ValueError
            For values that such a file cannot hold.
        """

    def write_mask(self, path: WritePath, mask: ImageData, like: WritePath | None) -> None:
        """Write a mask at the position of the image in the file `like`.

        Raises
        ------
        ValueError
            For values that such a file cannot hold, or if its size differs from that of `like`.
        """
