"""The class that shows nothing, and the mask id of each class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def negative_class_of(classifier: Any) -> Any:
    """Return the class of a fitted classifier that shows nothing; None if there is none.

    If the classifier does not say, it is the first class; a multi-label classifier has none.
    """
    return getattr(classifier, "negative_class_", classifier.classes_[0])


def class_ids(classes: NDArray[Any], negative_class: Any) -> NDArray[np.int64]:
    """Return the mask id of each class: 0 for the negative one, 1, 2, ... for the others.

    Parameters
    ----------
    classes : array of shape (k,)
    negative_class : label or None
        None if every class has a region.

    Examples
    --------
    >>> class_ids(np.array(["benign", "malignant", "normal"]), "normal").tolist()
    [1, 2, 0]
    """
    ids = np.arange(1, len(classes) + 1)
    if negative_class is None:
        return ids
    negative = classes.tolist().index(negative_class)
    return np.where(ids == negative + 1, 0, ids - (ids > negative))


def class_ranks(classes: NDArray[Any], negative_class: Any) -> NDArray[np.int64]:
    """Return the rank of each class with the negative one first, the order of summarizers."""
    if negative_class is None:
        return np.arange(len(classes))
    return class_ids(classes, negative_class)
