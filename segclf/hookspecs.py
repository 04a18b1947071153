"""What a plugin may offer: three hooks, and a protocol for what each of them promises.

A distribution names a module in its entry points of the group ``segclf``; functions of that module
marked with :data:`hookimpl` answer the hooks. ``docs/write_a_plugin.md`` shows one from end to end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pluggy

if TYPE_CHECKING:  # keeps `python -m segclf plugins` and every plugin's door free of numpy
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PseudoLabeler",
    "Summarizer",
    "Thresholder",
    "hookimpl",
    "segclf_pseudo_labelers",
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
    """A scikit-learn estimator that predicts masks for images that have none."""

    def fit(self, X: Any, y: Any = None, *, labels: ArrayLike | None = None) -> PseudoLabeler:
        """Learn from masks and labels; return self.

        Parameters
        ----------
        X : images
            Everything that a segmenter takes.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,), optional
            Image labels, -1 where nobody said.
        """

    def predict(self, X: Any, *, labels: ArrayLike | None = None) -> Any:
        """Predict masks.

        Parameters
        ----------
        X : images
            The n images to predict masks for.
        labels : array-like of shape (n,), optional
            Labels of these images, -1 where nobody said. An image labeled 0 has no object.

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
    finding as weight; not where `SegmentationClassifier` has no such maps.
    """

    def fit(self, P: Any, y: ArrayLike) -> Summarizer:
        """Learn from masks and labels, `y` being (n,) labels or an (n, k) indicator."""

    def predict(self, P: Any) -> NDArray[Any]:
        """Give each image's label (n,), or the indicator (n, k)."""

    def predict_proba(self, P: Any) -> NDArray[Any]:
        """Give the probabilities (n, n_classes), whose largest agrees with `predict`."""
