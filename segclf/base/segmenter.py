"""Segmenters: ``fit(X, y)`` with masks, ``predict(X)`` gives masks at the images' own size."""

from collections.abc import Callable, Iterator
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from segclf.axes import N_SPATIAL
from segclf.base.fine_tuned import FineTunedEstimator
from segclf.base.front_door import check_weights
from segclf.base.image_size import tile_of
from segclf.base.maps import (
    MapBatches,
    Maps,
    as_probabilities,
    collect_maps,
    masks_of,
    processed,
    to_masks,
)
from segclf.base.mask_targets import MaskTargets
from segclf.base.monitor import METRICS, Score, Summarized, iou_score, label_score, truth_of_masks
from segclf.base.nothing_found import warn_if_nothing_found
from segclf.base.spatial import n_spatial
from segclf.base.supervision import Supervision, supervise
from segclf.base.validation_set import with_validation
from segclf.data import (
    Images,
    ImagesLike,
    LabelsLike,
    MasksLike,
    Sampler,
    Samples,
    as_masks,
    watched_files,
)
from segclf.data.mask_checks import MAX_ID
from segclf.data.whole import Whole
from segclf.metrics import mean_iou
from segclf.networks import layer_reader
from segclf.training import FLIPS


class Segmenter(MaskTargets, FineTunedEstimator):
    """Base class of all segmenters.

    Parameters
    ----------
    n_classes : int or None
        Number of mask ids with the background, or of channels of multi-label masks. None finds it
        from masks and labels. Set it if the training data may not show every class, as in a fold,
        and predictions must always have the same number of classes.
    tile_size : int, (int, int, int) or None
        Predict larger images in overlapping tiles of this height and width, blended. Volumes are
        predicted in windows (slices, height, width), with Gaussian weights and a few slices at a
        time, so that large ones fit in memory; None is then the training `crop_size`, if any.
    test_time_flips : {"horizontal", "vertical", "both", "quarter_turns"} or None
        Average probabilities over the original image and flipped ones, turned back: mirrored left
        and right, top and bottom, both (four ways), or with quarter turns (all eight; only by 180
        degrees if not square). Prediction takes that many times as long. None is off.
    post_processing : callable or None
        Function that `predict` applies to each mask, (h, w) of ids or (k, h, w) of 0 and 1: a
        `segclf.data.MaskCleaner`, or any function from a mask to one of the same shape.
        Probabilities, and labels that come from them, do not change.

    Attributes
    ----------
    n_classes_ : int
        Number of mask ids with the background, or of channels of multi-label masks.
    classes_ : array of shape (n_classes,)
        The mask ids, or the numbers of the channels.
    multilabel_ : bool
        Whether a pixel may belong to several classes.
    """

    n_classes: int | None = None
    tile_size: Any = None
    test_time_flips: str | None = None
    post_processing: Any = None

    _at_prediction: ClassVar[tuple[str, ...]] = (
        *FineTunedEstimator._at_prediction,
        *("tile_size", "test_time_flips", "post_processing"),
    )
    # False for a method that learns from images alone.
    _needs_targets: ClassVar[bool] = True
    _takes_checked_masks: ClassVar[bool] = True
    _monitors: ClassVar[tuple[str, ...]] = ("loss", *METRICS)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_classes": [Interval(Integral, 1, MAX_ID + 1, closed="both"), None],
        "tile_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "test_time_flips": [StrOptions(set(FLIPS)), None],
        "post_processing": [callable, None],
    }

    @with_callbacks
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: MasksLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: LabelsLike | None = None,
        groups: ArrayLike | None = None,
        sampler: Sampler | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: MasksLike | Whole | None = None,
        labels_val: LabelsLike | Whole | None = None,
    ) -> Self:
        """Train on images; some may have masks, some image labels.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled pixel; or multi-label masks of 0,
            1 and -1. A list may hold paths, and None for an image without a mask.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        labels : array of shape (n,) or (n, k), optional
            The mask id that an image shows, 0 for none, -1 if unlabeled; or a multi-label
            indicator. An image labeled 0 has an empty mask. An image with another label and no mask
            may train an image-level term: see `label_weight`, if the segmenter has it.
        groups : array of shape (n,), optional
            Group of each image; the validation split keeps groups together.
        sampler : Sampler, optional
            Chooses the images of each batch, such as a `segclf.data.MixingSampler`; by default each
            image once an epoch.
        X_val, y_val, labels_val : images, masks and labels, optional
            A validation set, as X, y and labels; in place of `validation_fraction`. Wrap it in
            `segclf.data.Whole` if a search must not cut it into folds.

        Returns
        -------
        self
            The fitted estimator.
        """
        images = self._open(X)
        self._require_targets(y, labels)
        said: dict[str, Any] = {"masks": y, "labels": labels, "n_classes": self.n_classes}
        supervision = supervise(
            X, images=images, **said, sample_weight=sample_weight, groups=groups
        )
        supervision = with_validation(
            supervision, X_val, masks=y_val, labels=labels_val, reader=self
        )
        self._choose(supervision)
        samples = self._check_targets(supervision)
        samples.sampler = sampler or self._make_sampler(samples)
        self._learn(samples, strata=samples.labels, groups=supervision.groups, X=X, y=y)
        return self

    def predict(self, X: ImagesLike) -> Maps:
        """Return masks at the images' own size.

        Returns
        -------
        array (n, h, w) of ids or (n, k, h, w) of 0 and 1, uint8, or a list of them
            A list if the images have several sizes.
        """
        return collect_maps(*self._mask_batches(X))

    def predict_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, masks (b, h, w) or (b, k, h, w)); a batch at a time is in memory."""
        _, outputs, decide = self._mask_batches(X)
        yield from ((indices, decide(output.numpy())) for indices, output in outputs)

    def predict_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each class at each pixel.

        Returns
        -------
        array (n, n_classes, h, w), float32, or a list of them
            A list if the images have several sizes. Exclusive classes sum to 1.
        """
        return collect_maps(*self._maps(X))

    def predict_proba_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, probabilities (b, n_classes, h, w)); a batch at a time is in memory."""
        yield from ((indices, output.numpy()) for indices, output in self._maps(X)[1])

    def embed_batches(
        self, X: ImagesLike, layer: str = "deep"
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield (indices, maps (b, d, h', w')) of a layer of `network_`; images are not tiled.

        Parameters
        ----------
        X : array, list, paths or tensor
            The images. If `image_size_` is None, the maps differ in size as the images do.
        layer : str
            "deep", "shallow" or a module's name, see `segclf.networks.layer_reader`.
        """
        check_is_fitted(self)
        read = layer_reader(self.network_, layer)
        # The shape (b, 1, 1, d, h', w') keeps maps from being resized to the images' size.
        for indices, maps in self._outputs(X, forward=lambda image: read(image)[:, None, None])[1]:
            yield indices, maps[:, 0, 0].numpy()

    def score(self, X: ImagesLike, y: MasksLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean IoU of the foreground classes; pixels of -1 do not count.

        An id that `fit` never saw counts as missed. With `sample_weight` (n,), each pixel has the
        weight of its image.
        """
        predicted, axes = self.predict(X), n_spatial(self)
        truth: Any = as_masks(y, len(predicted), n_classes=self.n_classes_, n_spatial=axes)
        n_classes = self.n_classes_ if self.multilabel_ else max(self.n_classes_, truth.n_classes)
        weights = check_weights(sample_weight, len(predicted))
        counted: dict[str, Any] = {"sample_weight": weights, "n_spatial": axes}
        return float(mean_iou(truth, predicted, n_classes=n_classes, **counted))

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The mask ids, the background among them, or the numbers of the channels."""
        return np.arange(self.n_classes_)

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        """Return the sampler of batches; None takes each image once an epoch."""
        return None

    def _require_targets(self, y: Any, labels: Any) -> None:
        if self._needs_targets and y is None and labels is None:
            raise ValueError(
                "This estimator requires y to be passed, but the target y is None: give masks as "
                "y, or image labels as labels=."
            )

    def _check_targets(self, supervision: Supervision) -> Samples:
        """Learn how many classes there are, and return the training samples."""
        self.multilabel_ = supervision.masks.multilabel
        self.n_classes_ = supervision.masks.n_classes
        samples = supervision.samples(self.image_size_)
        samples.label_ids = self._label_ids(samples)
        if samples.held_out is not None:
            samples.held_out.label_ids = samples.label_ids
        if self._needs_targets and not samples.labeled().any():
            said = "no image has a label"
            if samples.labels is not None and (samples.labels >= 0).any():
                said = "label_weight=0 ignores labels of images without one"
            raise ValueError(
                f"None of the {len(samples)} images is labeled: each mask is None or all "
                f"-1, and {said}; expected at least one mask or label."
            )
        return samples

    def _label_ids(self, samples: Samples) -> NDArray[np.bool_] | None:
        """Return which mask ids are also learned from labels without a mask; None is all."""
        return None

    def _end(self, samples: Samples) -> None:
        # Two at a time in random order: one of the first usually shows something.
        images = samples.images.subset(np.random.default_rng(0).permutation(len(samples)))
        _, maps = self._outputs(images, self._activate, tile_of(self), batch_size=2)
        decide = partial(to_masks, multilabel=self.multilabel_)
        warn_if_nothing_found(maps, decide, samples, self.n_classes_)

    def _monitored(self, held_out: Samples) -> Score:
        def maps(images: Tensor) -> NDArray[Any]:
            return self._activate(self.network_(images).float()).cpu().numpy()

        if self.monitor == "iou":
            decide = partial(to_masks, multilabel=self.multilabel_)
            return iou_score(lambda images: decide(maps(images)), held_out, self.n_classes_)
        truth = truth_of_masks(held_out, self.n_classes_)
        first = 0 if self.multilabel_ else 1
        return label_score(str(self.monitor), Summarized(truth, maps, first), truth)

    def _maps(
        self, X: Any, reduce: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]]]:
        check_is_fitted(self)
        options: dict[str, Any] = {"flips": self.test_time_flips, "reduce": reduce}
        return self._outputs(X, self._activate, tile_of(self), **options)

    def _mask_batches(
        self, X: Any
    ) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]], Callable[[Any], Any]]:
        if n_spatial(self) == N_SPATIAL:
            return *self._maps(X), self._decide
        return *self._maps(X, partial(masks_of, multilabel=self.multilabel_)), self._processed

    def _activate(self, scores: Tensor) -> Tensor:
        return as_probabilities(scores, multilabel=self.multilabel_)

    def _decide(self, probabilities: NDArray[Any]) -> NDArray[np.uint8]:
        return self._processed(to_masks(probabilities, multilabel=self.multilabel_))

    def _processed(self, masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return masks if self.post_processing is None else processed(masks, self.post_processing)
