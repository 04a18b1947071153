"""Supervision of images: masks, labels, weights and groups in one object, checked once."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_consistent_length

from segclf.axes import N_SPATIAL, across
from segclf.base.agreement import mask_kind, of_kind
from segclf.base.fit_arguments import accepted
from segclf.base.front_door import check_weights
from segclf.base.split import Fold, split_folds
from segclf.data import (
    Images,
    ImagesLike,
    LabelsLike,
    Masks,
    MasksLike,
    Samples,
    Whole,
    as_mask_ids,
    as_masks,
    check_mask_sizes,
)
from segclf.data.labels import are_negative
from segclf.isolation.cached import cached_property

Mask = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Supervision:
    """Images with their masks, labels, weights and groups. Immutable; made by `supervise`.

    Parameters
    ----------
    X : images
        All n of them, as passed.
    masks : Masks
        The mask of each image, or None; of the kind that all masks and labels show together.
    labels : array of shape (n,) or (n, k), or None
        The mask id that an image shows, 0 for none, -1 if unlabeled; or an indicator.
    y : array of shape (n,) or (n, k), or None
        The classes as passed to a classifier; None for a segmenter.
    target : array of shape (n,) or (n, k), or None
        The same classes as positions, or as an indicator.
    sample_weight : array of shape (n,), optional
        Weight of each image.
    groups : array of shape (n,), optional
        Images with the same value belong together.
    images : Images, optional
        The opened `X`.
    validation : Supervision, optional
        Of other images, all of which are held out; every part has the same.
    """

    X: Any
    masks: Masks
    labels: NDArray[np.int64] | None = None
    y: Any = None
    target: NDArray[np.int64] | None = None
    sample_weight: NDArray[np.float32] | None = None
    groups: NDArray[Any] | None = None
    images: Images | None = None
    validation: "Supervision | None" = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.masks)

    @property
    def n_ids(self) -> int:
        """The upper bound of pixel values in masks: the number of classes, or 2 if multi-label."""
        return 2 if self.masks.multilabel else self.masks.n_classes

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of the mask of each image, whether it has one or not."""
        assert self.images is not None
        depth = (self.masks.n_classes,) if self.masks.multilabel else ()
        return [(*depth, *size) for size in self.images.sizes().tolist()]

    @cached_property
    def strata(self) -> NDArray[np.int64]:
        """The label of each image, -1 if it is unlabeled; folds balance these.

        For an indicator, and for an image with a mask alone: 1 if it shows anything, else 0.
        """
        said = self.labels if self.target is None else self.target
        strata = np.full(len(self), -1) if said is None else said.reshape(len(self), -1).max(axis=1)
        by_mask = (strata < 0) & self.masks.labeled
        return np.where(by_mask, self.masks.show_findings(), strata)

    def open(self, images: Images) -> "Supervision":
        """Return the same with `X` opened; masks must match the sizes of the images."""
        check_mask_sizes(images, self.masks)
        return replace(self, images=images)

    def subset(self, rows: NDArray[np.intp]) -> "Supervision":
        """Return the same for some images; classes that their masks do not show are remembered."""
        parts = {"labels": self.labels, "y": self.y, "target": self.target, "groups": self.groups}
        parts |= {"X": self.X, "sample_weight": self.sample_weight}
        return Supervision(
            masks=self.masks.subset(rows),
            images=None if self.images is None else self.images.subset(rows),
            validation=self.validation,
            **{name: None if v is None else _safe_indexing(v, rows) for name, v in parts.items()},
        )

    def hide(self, rows: Any) -> "Supervision":
        """Return the same without masks and labels of some images; the images stay."""
        kept = np.ones(len(self), dtype=bool)
        kept[rows] = False
        return self.with_masks(self.masks.hide(rows), labeled=kept)

    def with_masks(
        self, masks: MasksLike | None, *, labeled: NDArray[np.bool_] | None = None
    ) -> "Supervision":
        """Return the same with other masks, and with labels of some images only.

        Parameters
        ----------
        masks : Masks, list of n arrays or None, or None
            Masks of known classes; None for no masks.
        labeled : array of bool, shape (n,), optional
            Which images keep their label; all by default.
        """
        given = as_masks(masks, len(self), n_spatial=self.masks.n_spatial)
        others = of_kind(given, self.masks.multilabel, self.masks.n_classes)
        labels = self.labels
        if labels is not None and labeled is not None:
            labels = np.where(across(labeled, labels), labels, -1)
        return replace(self, masks=others, labels=labels)

    def fill(self, masks: list[Mask | None]) -> Mask | list[Mask]:
        """Return masks with -1 throughout for None; one array if all have one shape."""
        dtype = np.min_scalar_type(-self.n_ids)
        filled = [
            np.full(shape, -1, dtype=dtype) if mask is None else mask
            for mask, shape in zip(masks, self.shapes, strict=True)
        ]
        return np.stack(filled) if len(set(self.shapes)) == 1 else filled

    def folds(
        self, cv: Any, *, seed: int | None = None, tested: NDArray[np.bool_] | None = None
    ) -> list[Fold]:
        """Split the images into folds; if `cv` is a number, stratified and with whole groups.

        Parameters
        ----------
        cv : int or splitter
            See `SemiSupervisedSplit`.
        seed : int, optional
            Shuffles the images, if `cv` is a number.
        tested : array of bool, shape (n,), optional
            Images to test, once each; by default the labeled ones. Others only train.

        Returns
        -------
        list of (train, test)
            Row indices.

        Raises
        ------
        ValueError
            If an image is in no test fold, or in several.
        """
        strata = self.strata if tested is None else np.where(tested, self.strata, -1)
        return split_folds(cv, strata, self.groups, seed=seed)

    def with_mask(self) -> NDArray[np.bool_]:
        """Tell for each image whether it has a mask; a label of 0 counts as an empty mask."""
        return self.masks.labeled | (self.labels is not None and are_negative(self.labels))

    def samples(self, size: tuple[int, ...] | None, *, dense: bool = True) -> Samples:
        """Return the samples to train on, as tensors.

        Parameters
        ----------
        size : tuple of int, or None
            See `Samples`.
        dense : bool
            Whether masks, and labels of masks, are learned from.
        """
        assert self.images is not None
        samples = Samples(images=self.images, size=size, targets=self.target)
        samples.weights = self.sample_weight
        if dense:
            samples.dense, samples.masks, samples.labels = True, self.masks, self.labels
            samples.n_mask_channels = self.masks.n_classes if self.masks.multilabel else None
        if self.validation is not None:
            samples.held_out = self.validation.samples(size, dense=dense)
        return samples

    def arguments(self, estimator: Any, **more: Any) -> tuple[tuple[Any, Any], dict[str, Any]]:
        """Return the arguments for the `fit` of an estimator, as far as it takes them.

        A segmenter receives masks as its ``y``, a classifier classes; ours receive checked masks.
        """
        masks = self._masks_for(estimator)
        metadata = {"sample_weight": self.sample_weight, "groups": self.groups, **more}
        if self.y is not None:
            return (self.X, self.y), accepted(estimator, {"masks": masks, **metadata})
        metadata |= {"labels": self.labels, **self._validation_for(estimator)}
        named = accepted(estimator, metadata)
        if self.validation is not None and "X_val" not in named:
            raise ValueError(
                f"X_val was passed, but {type(estimator).__name__} would not see it: its fit takes "
                "no X_val, or does not pass it on. Leave out X_val, or use another estimator."
            )
        return (self.X, masks), named

    def _masks_for(self, estimator: Any) -> Any:
        if not self.masks.labeled.any() and not self._remembers_more():
            return None
        ours = getattr(estimator, "_takes_checked_masks", False)
        return self.masks if ours else self.masks.as_given()

    def _validation_for(self, estimator: Any) -> dict[str, Whole]:
        if self.validation is None:
            return {}
        masks, labels = self.validation._masks_for(estimator), self.validation.labels
        given = {"X_val": self.validation.X, "y_val": masks, "labels_val": labels}
        return {name: Whole(value) for name, value in given.items() if value is not None}

    def _remembers_more(self) -> bool:
        """Tell whether masks that are left out had another kind than labels alone show."""
        none = as_masks(None, len(self))
        return mask_kind(none, self.labels) != (self.masks.multilabel, self.masks.n_classes)

    def fit(self, estimator: Any, **more: Any) -> Any:
        """Fit an estimator on this, with the further arguments that its `fit` takes."""
        positional, named = self.arguments(estimator, **more)
        return estimator.fit(*positional, **named)


def supervise(
    X: ImagesLike,
    *,
    images: Images | None = None,
    masks: MasksLike | None = None,
    labels: LabelsLike | None = None,
    y: LabelsLike | None = None,
    target: NDArray[np.int64] | None = None,
    n_classes: int | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Supervision:
    """Check masks, labels, weights and groups of images, and return them as one object.

    Parameters
    ----------
    X, y, target, sample_weight, groups
        See `Supervision`.
    images : Images, optional
        The opened `X`; masks must match its sizes. For volumes not opened, masks are `Masks`.
    masks, labels : array, list, Masks or None; array of shape (n,) or (n, k), or None
        What `segclf.data.as_masks` takes; mask ids or an indicator.
    n_classes : int, optional
        Number of mask ids or channels; by default as many as they show.

    Raises
    ------
    ValueError
        If something is not as described, has another length, or does not match the rest.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.base import supervise
    >>> masks = [np.eye(16, dtype=int), None, None]
    >>> supervision = supervise(np.zeros((3, 16, 16)), masks=masks, labels=[1, 0, -1])
    >>> supervision.masks.labeled, supervision.n_ids
    (array([ True, False, False]), 2)
    """
    n_samples = _num_samples(X) if images is None else len(images)
    n_spatial = N_SPATIAL if images is None else images.n_spatial
    masks = as_masks(masks, n_samples, n_classes=n_classes, n_spatial=n_spatial)
    if images is not None:
        check_mask_sizes(images, masks)
    labels = None if labels is None else as_mask_ids(labels, n_samples)
    groups = None if groups is None else np.asarray(groups)
    check_consistent_length(np.empty(n_samples), labels, groups)
    return Supervision(
        X=X,
        masks=of_kind(masks, *mask_kind(masks, labels, n_classes)),
        labels=labels,
        y=y,
        target=target,
        sample_weight=check_weights(sample_weight, n_samples),
        groups=groups,
        images=images,
    )
