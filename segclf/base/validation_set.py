"""An explicit validation set, checked like the training set and for agreement with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _num_samples, check_consistent_length

from segclf.axes import are_labels, is_indicator
from segclf.base.agreement import of_kind
from segclf.base.classifier import Labels
from segclf.base.conflicts import check_agreement
from segclf.base.front_door import check_images, check_rows
from segclf.base.supervision import Supervision, supervise
from segclf.data import as_masks
from segclf.data.label_codes import as_indicator, as_positions
from segclf.data.labels import as_label_array
from segclf.data.whole import unwrapped


def with_validation(
    supervision: Supervision,
    X_val: Any,
    *,
    masks: Any = None,
    labels: Any = None,
    target: Any = None,
    reader: BaseEstimator | None = None,
) -> Supervision:
    """Return the same with a validation set of the same kind and classes.

    Parameters
    ----------
    supervision : Supervision
        Supervision of the training images.
    X_val : images, Whole or None
        None for no validation set.
    masks, labels : masks and labels of these, Whole or None
        As `supervise` takes them.
    target : Whole, array or None
        See `Supervision`.
    reader : estimator, optional
        An estimator that has learned the image format in training; it opens these images.

    Raises
    ------
    ValueError
        As in `supervise`, and if nothing is labeled or there is an additional class.
    """
    X, masks, labels, target = map(unwrapped, (X_val, masks, labels, target))
    if X is None:
        _refuse_without_images(masks, labels, target)
        return supervision
    with of_validation():
        images = None if reader is None else check_images(reader, X, reset=False)
        masks = as_masks(masks, _num_samples(X), n_spatial=supervision.masks.n_spatial)
        found = supervise(X, images=images, masks=masks, labels=labels, target=target)
        _require_labels(found)
        validation = replace(found, masks=_of_classes_of(supervision, found))
    return replace(supervision, validation=validation)


def open_validation(supervision: Supervision, reader: BaseEstimator) -> Supervision:
    """Return the same with the validation set opened by an estimator that knows the format."""
    if supervision.validation is None:
        return supervision
    with of_validation():
        images = check_images(reader, supervision.validation.X, reset=False)
        return replace(supervision, validation=supervision.validation.open(images))


def rows_of_validation(estimator: BaseEstimator, X_val: Any) -> Any:
    """Return images unchanged; rows are validated as `predict` does."""
    if unwrapped(X_val) is None:
        return None
    with of_validation():
        return check_rows(estimator, unwrapped(X_val), reset=False)


def with_labeled_validation(
    supervision: Supervision,
    classes: Labels,
    negative_class: Any,
    X_val: Any,
    y_val: Any,
    masks_val: Any,
    reader: BaseEstimator | None = None,
) -> Supervision:
    """Return the same with a validation set whose labels are those of a classifier.

    Parameters
    ----------
    supervision, X_val, reader
        See `with_validation`.
    classes : Labels
        Labels of the training images.
    negative_class : label or None
        The class whose images show nothing.
    y_val, masks_val : labels and masks, Whole or None
        Labels and masks of the validation set.

    Raises
    ------
    ValueError
        As in `with_validation` and `labels_of_validation`, and for labels that masks contradict.
    """
    labels = labels_of_validation(X_val, y_val, classes)
    if labels is None:
        return with_validation(supervision, X_val, masks=masks_val)
    supervision = with_validation(
        supervision,
        X_val,
        masks=masks_val,
        labels=labels.mask_ids(negative_class, supervision.masks),
        target=None if supervision.target is None else labels.encoded,
        reader=reader,
    )
    assert supervision.validation is not None
    with of_validation():
        check_agreement(labels, supervision.validation.masks, negative_class)
    return supervision


def labels_of_validation(X_val: Any, y_val: Any, classes: Labels) -> Labels | None:
    """Return the labels of the validation set, in the classes of the training images.

    Parameters
    ----------
    X_val : images, Whole or None
        None for no validation set.
    y_val : array of shape (n,) or (n, k), or Whole
        -1 if unlabeled.
    classes : Labels
        Labels of the training images.

    Raises
    ------
    ValueError
        If labels are missing, or of other classes.
    """
    y = unwrapped(y_val)
    if unwrapped(X_val) is None:
        _refuse_without_images(y)
        return None
    with of_validation():
        if y is None:
            raise ValueError("y_val is missing. Use -1 in it for an image without a label.")
        return Labels(_encoded(as_label_array(y), classes), classes.classes)


@contextmanager
def of_validation() -> Iterator[None]:
    """Say in errors that they are about the validation set.

    Raises
    ------
    ValueError
        With the text of the original error.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In the validation set (X_val, y_val, ...): {error}") from error


def _refuse_without_images(*said: Any) -> None:
    if not all(each is None for each in said):
        raise ValueError(
            "Masks or labels of a validation set were passed without its images; expected X_val=."
        )


def _encoded(y: NDArray[Any], classes: Labels) -> NDArray[np.int64]:
    if not classes.multilabel:
        if not are_labels(y):
            raise ValueError(f"y_val has shape {y.shape}; expected (n,), like y.")
        return as_positions(y, classes.classes)
    if not is_indicator(y) or y.shape[1] != len(classes.classes):
        raise ValueError(f"y_val has shape {y.shape}; expected (n, {len(classes.classes)}) like y.")
    return as_indicator(y)


def _require_labels(found: Supervision) -> None:
    said = [values for values in (found.labels, found.target) if values is not None]
    for values in said:
        check_consistent_length(found.masks, values)
    if not found.masks.labeled.any() and not any((values >= 0).any() for values in said):
        raise ValueError(f"none of the {len(found)} images has a mask or a label.")


def _of_classes_of(supervision: Supervision, found: Supervision) -> Any:
    ours, theirs = supervision.masks, found.masks
    if not theirs.labeled.any() and found.labels is None:
        return of_kind(theirs, ours.multilabel, ours.n_classes)
    kinds = ["multi-label" if each.multilabel else "of ids" for each in (theirs, ours)]
    if ours.multilabel != theirs.multilabel:
        raise ValueError(f"masks or labels are {kinds[0]}; expected {kinds[1]}, as in training.")
    n_more = theirs.n_classes - ours.n_classes
    if n_more > 0 or (ours.multilabel and n_more):
        what = "channels" if ours.multilabel else "ids with the background"
        raise ValueError(
            f"masks and labels have {theirs.n_classes} {what}; those of the training images have "
            f"{ours.n_classes}."
        )
    return of_kind(theirs, ours.multilabel, ours.n_classes)
