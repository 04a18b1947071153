"""Estimators whose network may start from a pretrainer, and how they use it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import Tensor, nn

from segclf.base.network_estimator import NetworkEstimator
from segclf.base.network_holder import is_auto
from segclf.base.parts import as_a_part
from segclf.base.pretrainer import Pretrainer
from segclf.base.warm_starts import Learned
from segclf.cache import as_memory, remember_features
from segclf.data import Augment, Augmentation, as_augmentation
from segclf.networks import ImageNetwork, forget, saved_weights, transfer
from segclf.objectives import Objective

# Flips and quarter turns turn one image into eight.
WAYS_TO_LIE = 8


class FineTunedEstimator(NetworkEstimator):
    """Base class of estimators that may start from a pretrainer.

    Parameters
    ----------
    pretrainer : pretrainer, FrozenEstimator, path or None
        Where the network starts: a pretrainer, which is cloned and fitted on all images passed,
        including those without mask and label; a fitted one inside
        ``sklearn.frozen.FrozenEstimator``; or a file of weights, or of an estimator saved by
        `segclf.save`.
    encoder_rate : float
        Learning rate of the encoder, as a fraction of `learning_rate`; 0 freezes it. A frozen
        encoder sees each image once in a fit: its maps are kept in half precision, in up to 1 GB of
        memory, unless an `augmentation` makes new images all the time. Flips and quarter turns are
        then applied to the maps, as an approximation of the maps of flipped images; they have no
        effect where only the mean of a map is used.
    encoder_start : float
        Share of the training steps for which the encoder is frozen, as with `encoder_rate=0`, so
        that the head learns first. After that, images are encoded anew and the encoder learns, at a
        rate that rises linearly to `encoder_rate` over a tenth of the remaining steps. Kumar et
        al., "Fine-tuning can distort pretrained features and underperform out-of-distribution",
        ICLR 2022.
    layer_decay : float
        Learning rate of a block of the encoder (a block of a transformer, a stage of any other
        encoder) as a fraction of that of the block above it. The last block has `encoder_rate`.
        Clark et al., "ELECTRA", ICLR 2020; BEiT uses .65 for vision transformers.

    Attributes
    ----------
    pretrainer_ : pretrainer
        The fitted pretrainer, if `pretrainer` was not fitted.
    transferred_ : dict
        Which of the network's tensors were ``taken`` from the pretrainer, which are ``new``, and
        which of the pretrainer's are ``unused``, and why. Only with a pretrainer.
    """

    pretrainer: Any = None
    encoder_rate: float = 1.0
    encoder_start: float = 0.0
    layer_decay: float = 1.0

    # Parameters of a pretrainer that, if None or "auto", come from the estimator that uses it.
    _shared: ClassVar[tuple[str, ...]] = (
        "channels",
        "checkpoint",
        "checkpoint_every",
        "device",
        "image_shape",
        "image_size",
        "memory",
        "n_threads",
        "precision",
    )

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pretrainer": [Pretrainer, FrozenEstimator, str, os.PathLike, None],
        "encoder_rate": [Interval(Real, 0, None, closed="left")],
        "encoder_start": [Interval(Real, 0, 1, closed="left")],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
    }

    def _to_start(self, objective: Objective) -> nn.Module:
        """Return the network, or a module of several, to start from the pretrainer's weights."""
        return objective.network

    def _recipe(self, pretrainer: Any, network: Any) -> dict[str, Any]:
        """Return the recipe of the network to pretrain, under our parameter names."""
        return {**network.recipe, "encoder_weights": self._setting("encoder_weights")}

    @contextmanager
    def _started(
        self, objective: Objective, X: Any, seed: int, context: CallbackContext
    ) -> Iterator[None]:
        """Start the network from the pretrainer; if frozen, it may keep maps while it trains."""
        goes_on = Learned.of(self) is not None
        for name in () if goes_on else ("pretrainer_", "transferred_"):
            self.__dict__.pop(name, None)
        network = self._to_start(objective)
        if self.pretrainer is not None and not goes_on:
            source = self._source(network, X, seed, context)
            self.transferred_ = transfer(source, network)
            self.__dict__.update(self._weights_of_pretrainer())
        for module in _image_networks(network):
            module.set_encoder_rate(
                self._setting("encoder_rate"),
                start=self.encoder_start,
                layer_decay=self.layer_decay,
            )
        if self._starts_frozen and self._sees_images_again():
            most = WAYS_TO_LIE * _num_samples(X)
            remember_features(network, as_memory(self.memory), most=most)
        try:
            yield
        finally:
            forget(network)
            for module in _image_networks(network):
                module.turns, module.encoder_start = None, 0.0

    @property
    def _starts_frozen(self) -> bool:
        return self._setting("encoder_rate") == 0 or self.encoder_start > 0

    def _augmentation(self, objective: Objective) -> Augment | None:
        """Return the loader's augmentation; networks that keep maps make exact turns themselves."""
        augmentation = super()._augmentation(objective)
        networks = list(_image_networks(self._to_start(objective)))
        if (
            not self._starts_frozen
            or not isinstance(augmentation, Augmentation)
            or not self._sees_images_again()
            or not all(each.turns_maps for each in networks)
        ):
            return augmentation
        for each in networks:
            each.turns = augmentation
        return (
            _OnceEncodersLearn(augmentation, networks)
            if self._setting("encoder_rate") > 0
            else None
        )

    def _sees_images_again(self) -> bool:
        """Tell whether the encoder is given the same images in each epoch."""
        if self._make_views():
            return False
        augmentation = as_augmentation(self.augmentation)
        return augmentation is None or (
            isinstance(augmentation, Augmentation) and augmentation.only_turns
        )

    def _weights_of_pretrainer(self) -> dict[str, Any]:
        """Return the origin of the pretrainer's weights: their licence applies to ours, too."""
        if isinstance(self.pretrainer, str | os.PathLike):
            weights = saved_weights(self.pretrainer)
        else:
            fitted = self.pretrainer.estimator if self._is_frozen() else self.pretrainer_
            weights = getattr(fitted, "weights_", None)
        return {"weights_": weights} if weights else {}

    @property
    def _n_parts(self) -> int:
        return int(hasattr(self.pretrainer, "fit") and not self._is_frozen())

    def _is_frozen(self) -> bool:
        return isinstance(self.pretrainer, FrozenEstimator)

    def _source(self, network: nn.Module, X: Any, seed: int, context: CallbackContext) -> Any:
        if isinstance(self.pretrainer, str | os.PathLike):
            return self.pretrainer
        if self._is_frozen():
            return _network_of(self.pretrainer.estimator)
        self.pretrainer_ = self._as_here(clone(self.pretrainer), network, seed)
        with as_a_part(context.subcontext(task_name="pretrainer"), self.pretrainer_):
            self.pretrainer_.fit(X)
        return self.pretrainer_.network_

    def _as_here(self, pretrainer: Any, network: nn.Module, seed: int) -> Any:
        """Set the parameters that the pretrainer leaves open."""
        here = pretrainer._network_parameters(self._recipe(pretrainer, network))
        here |= {name: self._setting(name) for name in self._shared} | {"random_state": seed}
        left_open = (
            name
            for name, value in pretrainer.get_params(deep=False).items()
            if value is None or is_auto(value)
        )
        pretrainer.set_params(**{name: here[name] for name in left_open if name in here})
        return self._lend(pretrainer)


class _OnceEncodersLearn:
    """Augments images once the encoders learn; before that, networks augment kept maps."""

    def __init__(self, augmentation: Augment, networks: list[ImageNetwork]) -> None:
        self._augmentation, self._networks = augmentation, networks

    def __call__(
        self, image: Tensor, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        if all(each.encoder_learns for each in self._networks):
            return self._augmentation(image, mask, generator)
        return image, mask


def _image_networks(network: nn.Module) -> Iterator[ImageNetwork]:
    return (each for each in network.modules() if isinstance(each, ImageNetwork))


def _network_of(estimator: Any) -> nn.Module:
    check_is_fitted(estimator)
    if not isinstance(estimator, NetworkEstimator):
        raise TypeError(
            f"pretrainer=FrozenEstimator({estimator!r:.80}) has no network of its own; expected a "
            "fitted pretrainer, segmenter or ImageClassifier of segclf."
        )
    return estimator.network_
