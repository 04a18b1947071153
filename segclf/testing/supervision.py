"""Checks of supervision: an image may have a mask, some labeled pixels, a label, or nothing."""

from typing import Any

import numpy as np

from segclf.testing.report import Check
from segclf.testing.samples import assert_equal, fresh, indicator, make_samples


def check_unlabeled_pixels(estimator: Any) -> None:
    """Pixels of -1 may be anywhere, but -1 is never predicted."""
    samples = make_samples()
    masks = samples.masks.astype(np.int64)
    masks[:, ::2] = -1
    masks[2] = -1
    trained = fresh(estimator).fit(samples.images, masks)
    _assert_sound(trained, samples.images)


def check_unlabeled_images(estimator: Any) -> None:
    """None in a list of masks and a mask of only -1 both mean that there is no mask."""
    samples = make_samples()
    masks = list(samples.masks.astype(np.int64))
    none = [None if i in (1, 4) else mask for i, mask in enumerate(masks)]
    void = [np.full_like(mask, -1) if i in (1, 4) else mask for i, mask in enumerate(masks)]
    first = fresh(estimator).fit(samples.images, none)
    second = fresh(estimator).fit(samples.images, void)
    _assert_sound(first, samples.images)
    assert_equal(
        second.predict_proba(samples.images),
        first.predict_proba(samples.images),
        "None and a mask of -1 differ",
    )


def check_labels_beside_masks(estimator: Any) -> None:
    """Some images may have masks, others labels, and others nothing."""
    samples = make_samples()
    masks = [mask if i < 2 else None for i, mask in enumerate(samples.masks)]
    labels = np.where(np.arange(len(masks)) < 4, samples.labels, -1)
    _assert_sound(fresh(estimator).fit(samples.images, masks, labels=labels), samples.images)


def check_labels_alone(estimator: Any) -> None:
    """Labels without any mask are enough to train, though not to train well."""
    samples = make_samples(n_classes=3)
    trained = fresh(estimator).fit(samples.images, None, labels=samples.labels)
    assert trained.n_classes_ == 3
    _assert_sound(trained, samples.images)


def check_multilabel_labels(estimator: Any) -> None:
    """Multi-label indicators can be passed with multi-label masks that have unlabeled pixels."""
    samples = make_samples(n_classes=3)
    stacks, labels = indicator(samples, 3)
    labels[0] = -1
    stacks[1, 0, :4] = -1
    masks = [stack if i < 3 else None for i, stack in enumerate(stacks)]
    trained = fresh(estimator).fit(samples.images, masks, labels=labels)
    probabilities = trained.predict_proba(samples.images)
    assert probabilities.shape == stacks.shape
    assert np.isfinite(probabilities).all()


def check_weight_of_zero(estimator: Any) -> None:
    """The mask of an image with a weight of 0 does not matter."""
    samples = make_samples()
    weights = np.array([1, 0, 1, 1, 0, 2.0])
    other = np.where(weights[:, None, None] == 0, 1 - samples.masks, samples.masks)
    first = fresh(estimator).fit(samples.images, samples.masks, sample_weight=weights)
    second = fresh(estimator).fit(samples.images, other, sample_weight=weights)
    np.testing.assert_allclose(
        second.predict_proba(samples.images), first.predict_proba(samples.images), atol=1e-5
    )


def check_weights_matter(estimator: Any) -> None:
    """Weights change the result."""
    samples = make_samples()
    heavy = np.where(samples.labels == 1, 100.0, 1.0)
    first = fresh(estimator).fit(samples.images, samples.masks)
    second = fresh(estimator).fit(samples.images, samples.masks, sample_weight=heavy)
    differ = second.predict_proba(samples.images) != first.predict_proba(samples.images)
    assert differ.any(), "sample_weight changes nothing"


def check_groups(estimator: Any) -> None:
    """Groups can be passed, and images are held out in whole groups."""
    samples = make_samples()
    copy = fresh(estimator)
    if "validation_fraction" in copy.get_params():
        copy.set_params(validation_fraction=0.4)
    groups = np.array(["a", "a", "b", "b", "c", "c"])
    _assert_sound(copy.fit(samples.images, samples.masks, groups=groups), samples.images)


def check_fit_leaves_data(estimator: Any) -> None:
    """``fit`` and ``predict`` accept read-only data and do not change data."""
    samples = make_samples()
    weights = np.linspace(0.5, 1, len(samples.images))
    data = (*samples, weights)
    before = [array.copy() for array in data]
    copy = fresh(estimator).fit(
        samples.images, samples.masks, labels=samples.labels, sample_weight=weights
    )
    copy.predict(samples.images)
    for array, unchanged in zip(data, before, strict=True):
        np.testing.assert_array_equal(array, unchanged, err_msg="fit or predict changes its data")
    for array in data:
        array.setflags(write=False)
    fresh(estimator).fit(
        samples.images, samples.masks, labels=samples.labels, sample_weight=weights
    ).predict(samples.images)


def _assert_sound(trained: Any, images: Any) -> None:
    probabilities = trained.predict_proba(images)
    assert np.isfinite(probabilities).all(), "probabilities are NaN or infinite"
    assert (trained.predict(images) >= 0).all()
    assert trained.predict(images).max() < trained.n_classes_


CHECKS: tuple[Check, ...] = (
    check_unlabeled_pixels,
    check_unlabeled_images,
    check_labels_beside_masks,
    check_labels_alone,
    check_multilabel_labels,
    check_weight_of_zero,
    check_weights_matter,
    check_groups,
    check_fit_leaves_data,
)
