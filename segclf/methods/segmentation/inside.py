"""The encoder's features inside predicted findings: one vector for each image."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segclf.axes import are_volumetric, axes_from

# Relative to the highest weight: if nothing is found, all places count alike.
FLOOR = 1e-4


def pooled_inside(findings: Any, features: Any) -> NDArray[np.float32]:
    """Average the features of each image, weighted by the probability of any finding.

    Parameters
    ----------
    findings : array (n, k, h, w) or list of n arrays (k, h, w)
        Probabilities of the findings.
    features : array (n, d, h', w') or list of n arrays (d, h', w')
        Features of the same images, at another stride. For volumes, both have one more axis.

    Returns
    -------
    array of shape (n, d)

    Examples
    --------
    >>> findings = np.zeros((1, 1, 4, 4), np.float32)
    >>> findings[0, 0, :2, :2] = 0.9
    >>> features = np.array([[[[5.0, 1.0], [1.0, 1.0]]]], np.float32)
    >>> pooled_inside(findings, features).round(2)
    array([[5.]], dtype=float32)
    """
    pairs = zip(findings, features, strict=True)
    return np.stack([_pooled(np.asarray(f), np.asarray(each)) for f, each in pairs])


def _pooled(findings: NDArray[Any], features: NDArray[Any]) -> NDArray[np.float32]:
    highest = torch.from_numpy(findings.max(axis=0, keepdims=True)).float()
    pool = F.adaptive_avg_pool3d if are_volumetric([features]) else F.adaptive_avg_pool2d
    weights = pool(highest, features.shape[1:])[0].numpy()
    weights = weights + FLOOR * weights.max() + np.finfo(np.float32).tiny
    total = (features * weights).sum(axis=axes_from(1, features))
    return np.asarray(total / weights.sum(), dtype=np.float32)
