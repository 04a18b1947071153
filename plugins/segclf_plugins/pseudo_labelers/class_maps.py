"""Predictions and class maps of a fitted classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from segclf.data import Images
from segclf.networks import grad_cam
from segclf.training import PredictionPlan, choose_device, choose_threads, predict_batches

__all__ = ["ClassMaps", "log_odds"]


@dataclass(frozen=True, kw_only=True)
class ClassMaps:
    """Computes predictions and class maps of a fitted classifier, in batches.

    Parameters
    ----------
    classifier : ImageClassifier, FrozenEstimator or nn.Module
        The fitted classifier. A module takes images as floats (n, c, h, w) and stays on its device.
    n_classes : int
        Number of classes k without the background.
    layer : str or None
        As in :func:`segclf.networks.grad_cam`.
    probability : bool
        Whether probabilities are differentiated, instead of their log-odds.
    normalize : bool
        Whether a map is divided by its maximum.
    """

    classifier: Any
    n_classes: int
    layer: str | None = None
    probability: bool = False
    normalize: bool = True

    def maps(self, images: Images) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (number of the image, maps (k, h, w) at its own size).

        Parameters
        ----------
        images : Images
            The images; one batch is in memory at a time.
        """
        forward = partial(grad_cam, self._network, layer=self.layer, score=self._score)
        for indices, output in self._outputs(images, forward=forward):
            for index, maps in zip(indices.tolist(), output.numpy(), strict=True):
                top = maps.max(axis=(1, 2), keepdims=True) if self.normalize else np.ones(1)
                yield index, maps / np.where(top > 0, top, 1).astype(np.float32)

    def shown(self, images: Images) -> NDArray[np.bool_]:
        """Return the predicted classes (n, k), those with a probability of at least one half.

        Parameters
        ----------
        images : Images
            The images; one batch is in memory at a time.
        """
        shown = np.empty((len(images), self.n_classes), dtype=bool)
        activation = partial(log_odds, n_classes=self.n_classes)
        for indices, output in self._outputs(images, activation=activation):
            shown[indices] = output.numpy() >= 0
        return shown

    def _score(self, output: Tensor) -> Tensor:
        logits = log_odds(output, self.n_classes)
        return logits.sigmoid() if self.probability else logits

    def _outputs(self, images: Images, **asked: Any) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
        return predict_batches(self._network, images, self._plan, **asked)

    @property
    def _network(self) -> nn.Module:
        if isinstance(self.classifier, nn.Module):
            return self.classifier
        check_is_fitted(self.classifier)
        network = getattr(self.classifier, "network_", None)
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"{self.classifier!r:.120} has no network that classifies; expected an "
                "ImageClassifier or a torch module."
            )
        return network

    @property
    def _plan(self) -> PredictionPlan:
        """Return the prediction plan of the classifier, in full precision."""
        if isinstance(self.classifier, nn.Module):
            tensors = [*self.classifier.parameters(), torch.empty(0)]
            return PredictionPlan(
                batch_size=16, device=tensors[0].device, n_threads=choose_threads(None)
            )
        chosen = getattr(self.classifier, "chosen_", {})
        return PredictionPlan(
            batch_size=chosen.get("batch_size", self.classifier.batch_size),
            image_size=self.classifier.image_size_,
            device=choose_device(self.classifier.device),
            n_threads=choose_threads(self.classifier.n_threads),
        )


def log_odds(output: Tensor, n_classes: int) -> Tensor:
    """Compute log(p / (1 - p)) of each class.

    Parameters
    ----------
    output : Tensor of shape (n, k) or (n, k + 1)
        Logits of non-exclusive classes, which are their log-odds; or logits of exclusive classes,
        background first, for log-odds of each class against all others.
    n_classes : int
        The number of classes k, without the background.

    Returns
    -------
    Tensor of shape (n, k)
        Log-odds, whose sigmoid is the probability.

    Raises
    ------
    ValueError
        If the number of logits does not fit.

    Examples
    --------
    >>> output = torch.tensor([[1.0, 2.0, 4.0]])
    >>> log_odds(output, 2).sigmoid().allclose(output.softmax(1)[:, 1:])
    True
    """
    n_logits = output.shape[-1]
    if output.ndim != 2 or n_logits not in (n_classes, n_classes + 1):
        raise ValueError(
            f"The classifier returns logits of shape {tuple(output.shape)}, but masks and labels "
            f"show {n_classes} class(es); expected (n, {n_classes}), or (n, {n_classes + 1}) for "
            "exclusive classes with the background first."
        )
    if n_logits == n_classes:
        return output
    own = torch.eye(n_logits, dtype=torch.bool, device=output.device)
    others = output[:, None].masked_fill(own, -torch.inf).logsumexp(2)
    return (output - others)[:, 1:]
