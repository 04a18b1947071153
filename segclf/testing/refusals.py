"""Checks of errors: invalid inputs are rejected, and the message names the sample."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from segclf.testing.report import Check
from segclf.testing.samples import fitted, fresh, make_samples


def check_refuses_broken_images(estimator: Any) -> None:
    """NaN, invalid shapes, other channels and missing files are rejected with the sample number."""
    samples = make_samples()
    nan = samples.images.astype(np.float32)
    nan[2, 3, 3] = np.nan
    images = list(samples.images)
    line = [*images[:3], np.zeros(5), *images[4:]]
    gray = [*images[:4], images[4][..., :1], images[5]]
    for number, X in ((2, nan), (3, line), (4, gray), (0, ["nowhere.png"] * 6)):
        _assert_refused(partial(fresh(estimator).fit, X, samples.masks), number)


def check_refuses_broken_masks(estimator: Any) -> None:
    """A mask of another size, without ids or of fractions is rejected with the sample number."""
    samples = make_samples()
    masks = list(samples.masks)
    small = [*masks[:1], masks[1][:5], *masks[2:]]
    negative = samples.masks.astype(int)
    negative[4, 0, 0] = -2
    fractions = samples.masks + np.zeros((16, 16))
    fractions[3, 1, 1] = 0.5
    for number, y in ((1, small), (4, negative), (3, fractions)):
        _assert_refused(partial(fresh(estimator).fit, samples.images, y), number)


def check_refuses_other_lengths(estimator: Any) -> None:
    """Numbers of masks, labels, weights and groups that differ from the images are rejected."""
    images, masks, labels = make_samples()
    weights = np.ones(3)
    calls: list[Callable[[], Any]] = [
        lambda: fresh(estimator).fit(images, masks[:3]),
        lambda: fresh(estimator).fit(images, masks, labels=labels[:3]),
        lambda: fresh(estimator).fit(images, masks, sample_weight=weights),
        lambda: fresh(estimator).fit(images, masks, groups=labels[:3]),
    ]
    for call in calls:
        _assert_refused(call, 3, 6)


def check_refuses_nothing_labeled(estimator: Any) -> None:
    """Missing masks and labels, no images, and weights that are all zero are rejected."""
    images, masks, _ = make_samples()
    _assert_refused(lambda: fresh(estimator).fit(images, None))
    _assert_refused(lambda: fresh(estimator).fit(images, [None] * 6))
    _assert_refused(lambda: fresh(estimator).fit(images[:0], masks[:0]))
    _assert_refused(lambda: fresh(estimator).fit(images, masks, sample_weight=np.zeros(6)))


def check_refuses_negative_weights(estimator: Any) -> None:
    """A negative weight is rejected with the sample number."""
    samples = make_samples()
    weights = np.array([1, 1, 1, 1, 1, -1.0])
    _assert_refused(
        lambda: fresh(estimator).fit(samples.images, samples.masks, sample_weight=weights), 5
    )


def check_refuses_other_channels(estimator: Any) -> None:
    """Images with other channels than in ``fit`` are rejected by prediction."""
    samples = make_samples()
    trained = fitted(estimator)
    _assert_refused(lambda: trained.predict(samples.images[..., 0]), 1, 3)


def _assert_refused(call: Callable[[], Any], *numbers: int) -> None:
    """Assert a ValueError whose message contains all the numbers."""
    message = _message_of_refusal(call)
    missing = [n for n in numbers if not re.search(rf"\b{n}\b(?!\.\d)", message)]
    assert missing == [], f"the message does not name {missing}: {message}"


def _message_of_refusal(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no ValueError was raised")


CHECKS: tuple[Check, ...] = (
    check_refuses_broken_images,
    check_refuses_broken_masks,
    check_refuses_other_lengths,
    check_refuses_nothing_labeled,
    check_refuses_negative_weights,
    check_refuses_other_channels,
)
