"""Estimators whose network may have learned elsewhere before: how a pretrainer is handed on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import nn

from segclf.base.network_estimator import NetworkEstimator
from segclf.base.parts import as_a_part
from segclf.base.pretrainer import Pretrainer
from segclf.cache import as_memory, remember_features
from segclf.networks import ImageNetwork, forget, saved_weights, transfer
from segclf.objectives import Objective


class FineTunedEstimator(NetworkEstimator):
    """What estimators share that may start from a pretrainer.

    Parameters
    ----------
    pretrainer : pretrainer, FrozenEstimator, path or None
        Where the network starts: a pretrainer, which is cloned and fitted on all images passed,
        those without mask and label included; a fitted one inside
        ``sklearn.frozen.FrozenEstimator``; or a file of weights, or of an estimator that
        `segclf.save` wrote.
    encoder_rate : float
        Learning rate of the encoder, as a fraction of `learning_rate`; 0 freezes it.
    memory : str, path, joblib.Memory or None
        Where a frozen encoder keeps its maps of each training image, in a file of their size, so
        that it computes them in the first epoch of the first fit alone, and a search over decoders
        pays for decoders. With an `encoder_rate` above 0 or an `augmentation`, which makes new
        images all the time, nothing is kept.

    Attributes
    ----------
    pretrainer_ : pretrainer
        The fitted one, where `pretrainer` was not.
    transferred_ : dict
        Which of the network's tensors were ``taken``, which are ``new`` and which of the
        pretrainer's are ``unused``, and why; where there is a pretrainer.
    """

    pretrainer: Any = None
    encoder_rate: float = 1.0
    memory: Any = None

    # What a pretrainer may leave open (None, "auto"), and then has from whom it is handed to.
    _shared: ClassVar[tuple[str, ...]] = (
        "channels",
        "device",
        "image_shape",
        "image_size",
        "n_threads",
        "precision",
    )

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pretrainer": [Pretrainer, FrozenEstimator, str, os.PathLike, None],
        "encoder_rate": [Interval(Real, 0, None, closed="left")],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
    }

    def _to_start(self, objective: Objective) -> nn.Module:
        """Return the network, or the module of several, that starts where a pretrainer ended."""
        return objective.network

    def _recipe(self, pretrainer: Any, network: Any) -> dict[str, Any]:
        """Return, by our names, the network for which the pretrainer is."""
        return {**network.recipe, "encoder_weights": getattr(self, "encoder_weights", None)}

    @contextmanager
    def _started(
        self, objective: Objective, X: Any, seed: int, context: CallbackContext
    ) -> Iterator[None]:
        """Let the network start where the pretrainer ended; while it trains it may remember."""
        for name in ("pretrainer_", "transferred_"):
            self.__dict__.pop(name, None)
        network = self._to_start(objective)
        if self.pretrainer is not None:
            source = self._source(network, X, seed, context)
            self.transferred_ = transfer(source, network)
            self.__dict__.update(self._weights_of_pretrainer())
        for module in network.modules():
            if isinstance(module, ImageNetwork):
                module.set_encoder_rate(self.encoder_rate)
        if self.augmentation is None and self.memory is not None:
            remember_features(network, as_memory(self.memory), most=_num_samples(X))
        try:
            yield
        finally:
            forget(network)

    def _weights_of_pretrainer(self) -> dict[str, Any]:
        """Return where the pretrainer's own weights came from: their licence holds for ours too."""
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
        """Set what the pretrainer left open."""
        here = pretrainer._network_parameters(self._recipe(pretrainer, network))
        here |= {name: getattr(self, name) for name in self._shared} | {"random_state": seed}
        left_open = (
            name
            for name, value in pretrainer.get_params(deep=False).items()
            if value is None or (isinstance(value, str) and value == "auto")
        )
        return pretrainer.set_params(**{name: here[name] for name in left_open if name in here})


def _network_of(estimator: Any) -> nn.Module:
    check_is_fitted(estimator)
    if not isinstance(estimator, NetworkEstimator):
        raise TypeError(
            f"pretrainer=FrozenEstimator({estimator!r:.80}) has no network of its own; expected a "
            "fitted pretrainer, segmenter or ImageClassifier of segclf."
        )
    return estimator.network_
