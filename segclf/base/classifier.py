"""Labels of images: checked, encoded, weighted; -1 means "unlabeled"."""

import warnings
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import assert_all_finite, check_array, check_consistent_length

from segclf.axes import is_indicator
from segclf.base.negative_class import class_ids, class_ranks
from segclf.data import ImagesLike, Masks
from segclf.data.label_codes import as_indicator
from segclf.data.labels import LabelsLike, as_label_array, is_labeled, is_labeled_for, natural


class AmbiguousLabelsWarning(UserWarning):
    """Labels are only -1 and 1, and are read as two classes; elsewhere -1 means "unlabeled"."""


class Labels(NamedTuple):
    """Labels as positions in `classes`, or as a multi-label indicator; -1 where unlabeled.

    Parameters
    ----------
    encoded : array of shape (n,) or (n, k)
        Positions, or 0 and 1 for each class.
    classes : array of shape (k,)
        The classes; 0 to k - 1 for an indicator.
    """

    encoded: NDArray[np.int64]
    classes: NDArray[Any]

    @property
    def multilabel(self) -> bool:
        """Whether an image may belong to several classes."""
        return is_indicator(self.encoded)

    def weights(self, class_weight: Any) -> NDArray[np.float32] | None:
        """Return the weight of each class, or None if all are equal."""
        if class_weight is None:
            return None
        if self.multilabel:
            raise ValueError("class_weight is for exclusive classes; y is a multi-label indicator.")
        labeled = self.classes[self.encoded[self.encoded >= 0]]
        weights = compute_class_weight(class_weight, classes=self.classes, y=labeled)
        return np.asarray(weights, dtype=np.float32)

    def image_weights(self, class_weight: Any) -> NDArray[np.float32] | None:
        """Return the weight of each image by its class, 1 if unlabeled; None if all are equal."""
        weights = self.weights(class_weight)
        if weights is None:
            return None
        return np.where(self.encoded >= 0, weights[self.encoded], np.float32(1))

    def finds_in_any_channel(self, masks: Masks) -> bool:
        """Tell whether two classes mean "some mask channel shows something" and "none does"."""
        several = bool(masks.multilabel) and masks.n_classes > 1
        return several and not self.multilabel and len(self.classes) == 2

    def mask_ids(self, negative_class: Any, masks: Masks | None = None) -> NDArray[np.int64]:
        """Return the mask id for each image's label, 0 for nothing; -1 and indicators stay.

        Parameters
        ----------
        negative_class : label or None
            The class whose images show nothing; None if every class has a region.
        masks : Masks, optional
            If they have several channels and there are two classes, return an indicator (n, k): 0
            throughout for the negative class, else -1, since the label does not say which channel.
        """
        if self.multilabel:
            return self.encoded
        if masks is not None and self.finds_in_any_channel(masks):
            empty = self.encoded == self.classes.tolist().index(negative_class)
            return np.repeat(np.where(empty, 0, -1)[:, None], masks.n_classes, axis=1)
        ids = class_ids(self.classes, negative_class)
        return np.where(self.encoded >= 0, ids[self.encoded], -1)

    def negative_first(self, negative_class: Any) -> NDArray[np.int64]:
        """Return the labels as positions among the classes, the negative class first."""
        if self.multilabel:
            return self.encoded
        ranks = class_ranks(self.classes, negative_class)
        return np.where(self.encoded >= 0, ranks[self.encoded], -1)


class Classifier(ClassifierMixin):
    """From images to labels: ``fit(X, y, sample_weight=None, *, masks=None)``.

    Attributes
    ----------
    classes_ : array of shape (k,)
        The classes; 0 to k - 1 for a multi-label indicator.
    """

    classes_: NDArray[Any]
    _takes_checked_masks: ClassVar[bool] = True

    def predict_proba(self, X: ImagesLike) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k); of each label for multi-label targets."""
        raise NotImplementedError

    def predict_log_proba(self, X: ImagesLike) -> NDArray[np.float64]:
        """Return the logarithm of `predict_proba`, (n, k); minus infinity where that is 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X: ImagesLike) -> NDArray[np.float64]:
        """Return the log-odds: how much more probable a class is than all others together.

        Returns
        -------
        array of shape (n,) or (n, k)
            For two classes, the log-odds of ``classes_[1]``, above 0 where it is predicted. For
            more classes, those of each class; the one with the greatest is predicted. For a
            multi-label indicator, those of each label. Always finite: a probability of 0 counts as
            2e-308.
        """
        proba = self.predict_proba(X)
        rest = 1 - proba if self._multilabel else proba @ (1 - np.eye(proba.shape[1]))
        least = np.finfo(np.float64).tiny
        odds = np.log(np.maximum(proba, least)) - np.log(np.maximum(rest, least))
        return odds[:, 1] if odds.shape[1] == 2 and not self._multilabel else odds

    def score(self, X: ImagesLike, y: LabelsLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy over the labeled images; -1 is never scored.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            True labels; -1, None, NaN and pandas.NA mean unlabeled. Of an indicator, only rows that
            are labeled throughout are scored.
        sample_weight : array of shape (n,), optional
            Weight of each image.

        Returns
        -------
        float
            The accuracy.

        Raises
        ------
        ValueError
            If no image has a label.
        """
        labels = as_label_array(y)
        labeled = is_labeled_for(labels, self.classes_).reshape(len(labels), -1).all(axis=1)
        if labeled.all():
            return super().score(X, natural(labels), sample_weight)
        if not labeled.any():
            raise ValueError(f"Nothing to score: none of the {len(labels)} images has a label.")
        chosen = np.flatnonzero(labeled)
        weights = None if sample_weight is None else np.asarray(sample_weight)[chosen]
        return super().score(_safe_indexing(X, chosen), natural(labels[chosen]), weights)

    def _predict_with_masks(self, X: Any) -> tuple[NDArray[np.float64], Any]:
        """Return `predict_proba`, and `predict_masks` if the classifier has it, else None."""
        masks = self.predict_masks(X) if hasattr(self, "predict_masks") else None
        return self.predict_proba(X), masks

    def _decide(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """Turn probabilities (n, k) into labels (n,), or into an indicator (n, k)."""
        if self._multilabel:
            return (probabilities >= 0.5).astype(np.int64)
        return self.classes_[np.argmax(probabilities, axis=1)]

    _multilabel: bool = False


def check_labels(y: LabelsLike | None, n_samples: int, *, signs: bool = False) -> Labels:
    """Check and encode labels (n,) of two classes or more, or a 0/1 indicator (n, k).

    Parameters
    ----------
    y, n_samples, signs
        See `encode_labels`.

    Returns
    -------
    Labels
        Classes, and labels as positions among them.

    Raises
    ------
    ValueError
        As in `encode_labels`, and for fewer than two classes.

    Examples
    --------
    >>> from segclf.base import check_labels
    >>> labels = check_labels(["ill", "healthy", None, "ill"], 4)
    >>> labels.classes, labels.encoded
    (array(['healthy', 'ill'], dtype='<U7'), array([ 1,  0, -1,  1]))
    """
    labels = encode_labels(y, n_samples, signs=signs)
    require_two_classes(labels)
    return labels


def require_two_classes(labels: Labels) -> None:
    """Refuse labels of fewer than two classes.

    Raises
    ------
    ValueError
        If there is only one class, or none.
    """
    found = labels.classes.tolist()
    if len(found) < 2:
        given = f"y has one, {found[0]!r}" if found else "y has no label at all"
        hint = " If -1 is one of your classes, write the two as 0 and 1."
        raise ValueError(
            "Classifier can't train when only one class is present; expected two classes or more, "
            f"but {given} (-1 and None mean unlabeled)."
            + hint
            * (found == [1] and bool((labels.encoded < 0).any()))
        )


def encode_labels(y: LabelsLike | None, n_samples: int, *, signs: bool = False) -> Labels:
    """Encode labels (n,) of any number of classes, or a 0/1 indicator (n, k).

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        -1, None, NaN and pandas.NA mean unlabeled.
    n_samples : int
        Expected number of labels.
    signs : bool
        Whether a `y` that holds only -1 and 1 has two classes, as in scikit-learn's own estimators;
        a warning then says so. Otherwise -1 means "unlabeled", as everywhere else.

    Raises
    ------
    ValueError
        If `y` is missing, has another length, or is not a classification target.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. "
            "Use -1 in y for an image without a label."
        )
    labels = check_array(
        as_label_array(y),
        ensure_2d=False,
        dtype=None,
        ensure_all_finite=False,
        input_name="y",
        ensure_min_samples=0,
    )
    check_consistent_length(np.empty(n_samples), labels)
    if is_indicator(labels) and labels.shape[1] > 1:
        return Labels(as_indicator(labels), np.arange(labels.shape[1]))
    return _encoded(column_or_1d(labels, warn=True), signs)


def _encoded(labels: NDArray[Any], signs: bool) -> Labels:
    labeled = is_labeled(labels)
    only_signs = labels.dtype.kind in "if" and bool(np.isin(labels, (-1, 1)).all())
    if signs and only_signs and 0 < labeled.sum() < len(labeled):
        _warn_of_signs()
        labeled = np.ones(len(labels), dtype=bool)
    values = natural(labels[labeled])
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name="y")
    if len(values):
        check_classification_targets(values)
    classes = unique_labels(values) if len(values) else values
    encoded = np.full(len(labels), -1, dtype=np.int64)
    encoded[labeled] = np.searchsorted(classes, values)
    return Labels(encoded, classes)


def _warn_of_signs() -> None:
    warnings.warn(
        "y holds only -1 and 1, and is read as two classes; elsewhere -1 means unlabeled. "
        "Use 0 and 1, with -1 for images without a label.",
        AmbiguousLabelsWarning,
        stacklevel=5,
    )
