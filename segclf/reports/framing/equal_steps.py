"""Equal training for both framings: the same number of steps, regardless of images and epochs.

Equal epochs over unequal numbers of images are unequal training, and doubling the steps can gain
more than masks do.
"""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from segclf.base import Segmenter
from segclf.base.automatic import steps_of_epochs, usual_steps
from segclf.methods.image_classifier import ImageClassifier
from segclf.methods.multitask_classifier import MultitaskClassifier
from segclf.methods.segmentation import SegmentationClassifier
from segclf.methods.supervised_segmenter import SupervisedSegmenter

NETWORKS = (Segmenter, ImageClassifier, MultitaskClassifier)


def equal_steps(estimators: list[Any], n_images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose the number of training steps for the networks of all estimators.

    Parameters
    ----------
    estimators : list of estimators
        If one of them sets ``max_steps``, its value is used for all; otherwise the largest number
        that any of them would take.
    n_images : array of int
        Numbers of training images.

    Returns
    -------
    array of int
        Number of steps for each number of images; 0 if no estimator has a network.
    """
    networks = [(e.get_params(), at) for e in map(_explicit, estimators) for at in _networks(e)]
    given = [params[f"{at}max_steps"] for params, at in networks]
    given = [steps for steps in given if isinstance(steps, Integral)]
    if given or not networks:
        return np.full_like(n_images, max(given, default=0))
    own = [
        [_own_steps(params, at, n) for params, at in networks] for n in n_images.ravel().tolist()
    ]
    return np.max(own, axis=1).reshape(n_images.shape)


def with_steps(estimator: Any, n_steps: int) -> tuple[Any, int]:
    """Return a clone that trains its networks for a number of steps, unless it sets its own.

    Parameters
    ----------
    estimator : estimator
        Its network or segmenter may have ``max_steps``; any other estimator stays unchanged.
    n_steps : int
        From `equal_steps`.

    Returns
    -------
    estimator
    int
        The largest number of steps of its networks; 0 without a network.
    """
    estimator = _explicit(estimator)
    names = [f"{at}max_steps" for at in _networks(estimator)]
    given = {name: estimator.get_params()[name] for name in names}
    steps = {name: int(n) if isinstance(n, Integral) else n_steps for name, n in given.items()}
    return estimator.set_params(**steps), max(steps.values(), default=0)


def _own_steps(params: dict[str, Any], at: str, n_images: int) -> int:
    if not isinstance(params[f"{at}max_epochs"], Integral):
        return usual_steps(n_images)
    n_batches = steps_of_epochs(1, params[f"{at}batch_size"], n_images)
    return int(params[f"{at}max_epochs"] * -(-n_batches // params[f"{at}accumulate_batches"]))


def _explicit(estimator: Any) -> Any:
    """Clone the estimator and set its default segmenter as a parameter."""
    estimator = clone(estimator)
    if isinstance(estimator, SegmentationClassifier) and estimator.segmenter is None:
        estimator.set_params(segmenter=SupervisedSegmenter())
    return estimator


def _networks(estimator: Any) -> list[str]:
    """List the parameter prefixes of networks, without networks nested in others."""
    params = estimator.get_params()
    parts = {"": estimator, **{f"{name}__": value for name, value in params.items()}}
    found = [
        at
        for at, part in parts.items()
        if isinstance(part, NETWORKS) and f"{at}max_steps" in params
    ]
    return [at for at in found if not any(at != o and at.startswith(o) for o in found)]
