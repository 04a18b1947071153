"""IRNet: class activation maps, spread by a random walk that stops at learned boundaries.

The activation maps of a classifier find the most discriminative part of an object. Where they are
confident, a network learns from them which near pixels belong together, and so where classes end.
A random walk then spreads the maps, but not across these boundaries. Ahn, Cho and Kwak, "Weakly
supervised learning of instance segmentation with inter-pixel relations", CVPR 2019; used on chest
X-rays by Gadgil, Endo, Wen, Ng and Rajpurkar, "CheXseg: combining expert annotations with
DNN-generated saliency maps for X-ray segmentation", MIDL 2021, Appendices A.2 and B.
"""

from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from segclf import ImageClassifier
from segclf.base import as_a_part
from segclf.data import Images, ImagesLike, LabelsLike, Masks, MasksLike
from segclf_plugins.pseudo_labelers.activation_maps import activation_maps
from segclf_plugins.pseudo_labelers.classifier_labeler import ClassifierLabeler
from segclf_plugins.pseudo_labelers.irnet_boundaries import IRNetBoundaries
from segclf_plugins.pseudo_labelers.maps_to_masks import (
    Refine,
    mask_from_maps,
    refined,
    resized,
    sure_mask,
)
from segclf_plugins.pseudo_labelers.random_walk import random_walk

__all__ = ["IRNetLabeler"]

_SHARE = [Interval(Real, 0, 1, closed="both")]


class IRNetLabeler(ClassifierLabeler):
    """Predict masks from image labels alone, by activation maps spread up to learned boundaries.

    Only classes that an image is labeled with are predicted, and none in an image labeled 0. For
    unlabeled images, classes predicted by the classifier are used. An image without evidence for
    its class gets a mask of -1. Given masks are used unchanged to train the boundaries.

    Parameters
    ----------
    classifier : ImageClassifier, FrozenEstimator or None
        The classifier for activation maps. It is fitted on image labels, and for images without a
        label on the classes in their masks. Pass a fitted one inside
        ``sklearn.frozen.FrozenEstimator``. None is ``ImageClassifier(encoder="tiny",
        learning_rate=1e-3)``, which trains quickly from scratch. IRNet uses an ImageNet ResNet-50
        at a stride of 16, CheXseg a DenseNet-121.
    boundaries : IRNetBoundaries or None
        Learns boundaries from the confident parts of the maps. None is ``IRNetBoundaries()``.
        Without an encoder and a pretrainer, it uses the frozen encoder of the classifier. IRNet
        uses ImageNet weights: ``pretrainer="resnet50.pth"``.
    layer : str or None
        Name of the classifier's module whose maps are used; None is the last one with maps. IRNet's
        maps have a 16th of the image's height and width, since the last stride of its ResNet-50 is
        removed; in an encoder with a stride of 32, an earlier layer gives such maps.
    scales : tuple of float
        Sizes of the input for activation maps, as fractions of the image size; the default is
        IRNet's.
    foreground_threshold, background_threshold : float
        Maps, whose largest value is 1, are confident of a class above the first threshold and of
        the background below the second: .3 and .05 in IRNet and CheXseg's paper, .25 and .1 in
        CheXseg's code.
    radius : int
        Radius of the steps of the random walk, see `random_walk`: IRNet 5, CheXseg's code 3.
    beta : float
        Power of the affinities: IRNet 10, CheXseg's code 5.
    n_steps : int
        Steps of the walk: 256 for IRNet's ``exp_times=8``, 8 for the 3 in CheXseg's code.
    threshold : float
        A pixel is background if all maps, after the walk and divided by their largest value, are
        lower: IRNet .25, CheXseg's code .6.
    refine : callable or None
        ``refine(image (h, w, c), probabilities (k, h, w))`` returns improved probabilities, such as
        those of a conditional random field. It is applied to the two masks from which boundaries
        are learned, at .7 each, as in IRNet.
    random_state : int, RandomState or None
        Seed of classifier and boundaries; None keeps their own.

    Attributes
    ----------
    boundaries_ : IRNetBoundaries
        The fitted boundary network.

    Notes
    -----
    With the default thresholds, this may be worse than activation maps alone, as others found for
    IRNet's code. If maps are hardly anywhere below .1, there is no confident background and no
    boundary is learned; raise the thresholds then. For small images use a smaller
    ``boundaries__stride``.

    Examples
    --------
    >>> from segclf import ImageClassifier
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers.irnet import IRNetLabeler
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = ImageClassifier(encoder="tiny", max_epochs=1)
    >>> labeler = IRNetLabeler(classifier=classifier, random_state=0)
    >>> labeler.fit(shapes.images, labels=shapes.target).predict(shapes.images).shape
    (8, 32, 32)
    """

    boundaries: Any = None
    layer: str | None = None
    scales: Sequence[float] = (1.0, 0.5, 1.5, 2.0)
    foreground_threshold: float = 0.3
    background_threshold: float = 0.05
    radius: int = 5
    beta: float = 10.0
    n_steps: int = 256
    threshold: float = 0.25
    refine: Refine | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "classifier": [ImageClassifier, FrozenEstimator, None],
        "boundaries": [IRNetBoundaries, None],
        "layer": [str, None],
        "scales": ["array-like"],
        "foreground_threshold": _SHARE,
        "background_threshold": _SHARE,
        "radius": [Interval(Integral, 2, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "threshold": _SHARE,
        "refine": [callable, None],
        "random_state": ["random_state"],
    }

    @with_callbacks
    def fit(
        self, X: ImagesLike, y: MasksLike | None = None, *, labels: LabelsLike | None = None
    ) -> Self:
        """Train the classifier on labels, then the boundaries on the confident parts of its maps.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), list or None
            Masks, if any, as for a segmenter.
        labels : array of shape (n,) or (n, k), optional
            The mask id that each image shows, 0 for none, -1 where unlabeled; or an indicator.
        """
        self._validate_params()
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=2)
        classifier = self._new_classifier(int(seeds[0]))
        if not isinstance(classifier, ImageClassifier):
            raise TypeError(f"classifier={self.classifier!r:.80}; expected an ImageClassifier.")
        self.classifier_ = classifier
        images, masks, present = self._look(X, y, labels)
        context = self._init_callback_context(max_subtasks=2)
        context.call_on_fit_task_begin(estimator=self)
        self._fit_classifier(images, present, context)
        boundaries = self._seeded(self.boundaries or IRNetBoundaries(), int(seeds[1]))
        given = boundaries.pretrainer
        self.boundaries_ = boundaries.complete(self.classifier_)
        sure = self._sure_masks(images, masks, present)
        with as_a_part(context.subcontext(task_name="boundaries"), self.boundaries_):
            self.boundaries_.fit(images.subset(list(sure)), list(sure.values()))
        self.boundaries_.pretrainer = given  # otherwise a saved file has the classifier twice
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def _default_classifier(self) -> ImageClassifier:
        return ImageClassifier(encoder="tiny", learning_rate=1e-3)

    def _sure_masks(
        self, images: Images, masks: Masks, present: NDArray[np.int64]
    ) -> dict[int, NDArray[Any]]:
        """Return, by image number, the given masks and the confident parts of activation maps."""
        sure: dict[int, Any] = {i: masks[i] for i in np.flatnonzero(masks.labeled).tolist()}
        empty = (present == 0).all(1) & ~masks.labeled
        sure |= {i: self._blank((1, 1)) for i in np.flatnonzero(empty).tolist()}
        for row, maps in self._maps(images, np.flatnonzero((present == 1).any(1) & ~masks.labeled)):
            there = present[row]
            thresholds = (self.foreground_threshold, self.background_threshold)
            both = [
                self._predict_mask(maps[there == 1], threshold, there) for threshold in thresholds
            ]
            if self.refine is not None:
                both = [refined(mask, images[row], there, self.refine) for mask in both]
            sure[row] = sure_mask(*both)
        return dict(sorted(sure.items()))

    def _seen(self, images: Images) -> NDArray[np.bool_]:
        seen: NDArray[np.bool_] = self.classifier_.predict_proba(images) >= 0.5
        return seen[:, -self._n_findings :]

    def _predict_masks(
        self, images: Images, rows: NDArray[np.intp], shown: NDArray[np.bool_]
    ) -> Iterator[tuple[int, NDArray[np.int16]]]:
        sizes = images.sizes().tolist()
        edges = self.boundaries_.predict_maps(images.subset(rows)) if len(rows) else ()
        for (row, maps), (_, edge) in zip(self._maps(images, rows), edges, strict=True):
            walked = self._walked(maps[shown[row]], edge, sizes[row])
            yield row, self._predict_mask(walked, self.threshold, shown[row])

    def _maps(self, images: Images, rows: NDArray[np.intp]) -> Iterator[tuple[int, Any]]:
        """Yield (number of the image, its activation maps)."""
        if len(rows):
            found = activation_maps(
                self.classifier_,
                images.subset(rows),
                n_classes=self._n_findings,
                scales=self.scales,
                stride=self.boundaries_.stride,
                layer=self.layer,
            )
            for index, maps in found:
                yield int(rows[index]), maps

    def _walked(
        self, maps: NDArray[np.float32], edge: NDArray[np.float32], size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Spread maps (k, h, w), resize them to the image, and scale their maximum to 1."""
        start = resized(maps, edge.shape)
        walked = random_walk(start, edge, radius=self.radius, beta=self.beta, n_steps=self.n_steps)
        seen = self.boundaries_.image_size_ or size
        stride = self.boundaries_.stride
        # The last row and column of the grid may extend beyond the input of the network.
        whole = resized(walked, (stride * edge.shape[0], stride * edge.shape[1]))
        full = resized(whole[:, : seen[0], : seen[1]], size)
        peak = full.max((1, 2), keepdims=True) if self.multilabel_ else full.max(keepdims=True)
        return np.divide(full, peak, out=full, where=peak > 0)

    def _predict_mask(
        self, maps: NDArray[Any], threshold: float, present: NDArray[Any]
    ) -> NDArray[Any]:
        return mask_from_maps(maps, threshold, present, multilabel=self.multilabel_)
