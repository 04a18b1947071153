"""Checks of pseudo-labelers: they predict masks for images without one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from segclf.methods.image_classifier import ImageClassifier
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.testing.report import Check
from segclf.testing.samples import assert_equal, fresh, make_samples
from segclf.testing.small import small_estimator


def check_predicts_masks(labeler: Any) -> None:
    """It is fitted on some masks and all labels, and predicts ids (or -1) at each image's size."""
    samples = make_samples()
    masks = [mask if i < 3 else None for i, mask in enumerate(samples.masks)]
    copy = _quick(labeler)
    assert copy.fit(samples.images, masks, labels=samples.labels) is copy
    predicted = copy.predict(samples.images)
    assert np.shape(predicted) == samples.masks.shape
    assert np.isin(predicted, [-1, 0, 1]).all(), (
        f"predicts {np.unique(predicted)}; labeled were 0 and 1"
    )


def check_labels_of_predict(labeler: Any) -> None:
    """An image labeled 0 has no object; -1 means unlabeled."""
    samples = make_samples()
    trained = _fitted(labeler)
    negative = np.asarray(trained.predict(samples.images, labels=np.zeros(6, dtype=int)))
    assert not (negative > 0).any(), "predicts objects in images labeled 0"
    unknown = trained.predict(samples.images, labels=np.full(6, -1))
    assert_equal(unknown, trained.predict(samples.images))


def check_predicts_lists(labeler: Any) -> None:
    """A list of images of different sizes gets masks of the same sizes."""
    parts = [make_samples(n_samples=2, size=size) for size in ((16, 16), (13, 18))]
    images = [image for part in parts for image in part.images]
    masks = [mask for part in parts for mask in part.masks]
    labels = np.concatenate([part.labels for part in parts])
    predicted = _quick(labeler).fit(images, masks, labels=labels).predict(images, labels=labels)
    assert [np.shape(mask) for mask in predicted] == [mask.shape for mask in masks]


def check_labeler_leaves_data(labeler: Any) -> None:
    """Data may be read-only and are not changed."""
    samples = make_samples()
    data: list[NDArray[Any]] = list(samples)
    before = [array.copy() for array in data]
    for array in data:
        array.setflags(write=False)
    trained = _quick(labeler).fit(samples.images, samples.masks, labels=samples.labels)
    trained.predict(samples.images, labels=samples.labels)
    assert_equal(data, before, "fit or predict changes its data")


def check_labeler_is_repeatable(labeler: Any) -> None:
    """The same seed predicts the same masks."""
    images = make_samples().images
    assert_equal(_fitted(labeler).predict(images), _fitted(labeler).predict(images))


def check_labeler_is_fitted_first(labeler: Any) -> None:
    """Predicting before ``fit`` raises ``NotFittedError``."""
    try:
        _quick(labeler).predict(make_samples().images)
    except NotFittedError:
        return
    raise AssertionError("predict works before fit")


def _quick(labeler: Any) -> Any:
    """Return an unfitted copy with a fixed seed and, where it chooses its network, a small one."""
    copy = fresh(labeler)
    own = {n for n, v in copy.get_params(deep=False).items() if v is None or isinstance(v, str)}
    small = {"teacher": SupervisedSegmenter, "classifier": ImageClassifier}
    return copy.set_params(**{n: small_estimator(kind) for n, kind in small.items() if n in own})


def _fitted(labeler: Any) -> Any:
    samples = make_samples()
    return _quick(labeler).fit(samples.images, samples.masks, labels=samples.labels)


CHECKS: tuple[Check, ...] = (
    check_predicts_masks,
    check_labels_of_predict,
    check_predicts_lists,
    check_labeler_leaves_data,
    check_labeler_is_repeatable,
    check_labeler_is_fitted_first,
)
