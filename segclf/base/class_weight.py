"""The weight of each mask id in the loss."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segclf.data import Samples


def weights_of_ids(class_weight: Any, samples: Samples, n_classes: int) -> Tensor | None:
    """Return the weight of each mask id (n_classes,); None if all weigh the same.

    Parameters
    ----------
    class_weight : "balanced", sequence of float or None
        Parameter of an estimator.
    samples : Samples
        Their pixels are counted.
    n_classes : int
        Number of mask ids or channels.

    Raises
    ------
    ValueError
        If the number of weights is not `n_classes`.
    """
    if class_weight is None:
        return None
    weights = class_weight
    if isinstance(weights, str):
        weights = balanced_class_weight(samples.pixel_counts(n_classes))
    if len(weights) != n_classes:
        raise ValueError(
            f"class_weight has {len(weights)} weights; expected one for each of the "
            f"{n_classes} mask ids, the background first."
        )
    return torch.as_tensor(weights, dtype=torch.float32)


def balanced_class_weight(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weigh mask ids inversely to their numbers of pixels (k,), as if absent ones did not exist.

    Examples
    --------
    >>> balanced_class_weight(np.array([30, 0, 10])).round(2).tolist()
    [0.67, 0.0, 2.0]
    """
    there = counts > 0
    return np.where(there, counts.sum() / (max(there.sum(), 1) * np.maximum(counts, 1)), 0.0)
