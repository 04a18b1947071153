"""Base class of estimators with a network: reading images, predicting, storing the network."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import validate_parameter_constraints
from torch import Tensor, nn

from segclf.base.estimator import Estimator
from segclf.base.front_door import check_images
from segclf.base.frozen_network import freeze
from segclf.base.image_size import choose_size
from segclf.base.network_state import set_priors, set_statistics, thaw, weights_of
from segclf.base.spatial import asked_axes, check_kind
from segclf.data import Images, Samples
from segclf.training import PredictionPlan, choose_device, choose_threads, predict_batches


class NetworkHolder(Estimator):
    """Base class of every estimator with a network, whether it trained the network or not.

    Attributes
    ----------
    network_ : nn.Module
        The trained network.
    image_size_ : tuple of int, or None
        Height and width to which images are resized; (slices, height, width) for volumes. None if
        they keep their sizes.
    precision_ : {"bf16", "fp16", "fp32"}
        The precision that is used.
    n_channels_ : int
        Number of image channels.
    image_scale_ : dict or None
        What `fit` saw: the images' ``dtype``, their smallest and largest value, ``low`` and
        ``high``, and the ``typical`` largest value of an image. Images of another scale are
        refused. None for rows.
    weights_ : dict
        Origin of the encoder's weights: the requested ``name``, the ``source``, ``file``,
        ``sha256`` and ``licence`` (None if unknown), and a ``notice`` if that licence also applies
        to what is derived from the weights. With two encoders, a dict of such dicts. Only with
        pretrained weights.
    n_features_in_ : int
        Number of features in each row; only if X holds rows.
    """

    # Attributes that hold trained networks.
    _networks: ClassVar[tuple[str, ...]] = ("network_",)
    # True if the network may be one for volumes.
    _reads_volumes: ClassVar[bool] = False
    # Advice for volumes, in errors of estimators that do not read them.
    _for_volumes: ClassVar[str] = (
        "SupervisedSegmenter, ImageClassifier and MultitaskClassifier read volumes."
    )
    # Parameters that also affect prediction; changes after `fit` take effect.
    _at_prediction: ClassVar[tuple[str, ...]] = ("batch_size", "device", "precision", "n_threads")

    @property
    def _n_spatial(self) -> int | None:
        """3 if a network for volumes is requested; None leaves it to what is inside."""
        return asked_axes(self)

    def _open(self, X: Any) -> Images:
        """Check parameters and images at the start of ``fit``."""
        self._validate_params()
        check_kind(self)
        images = check_images(self, X, reset=True)
        self.__dict__.pop("chosen_", None)
        self._bring_to_size(images)
        return images

    def _bring_to_size(self, images: Images) -> None:
        size = self._setting("image_size")
        self.image_size_ = choose_size(None if is_auto(size) else size, images, self._keeps_sizes)

    @property
    def _keeps_sizes(self) -> bool:
        """Whether images of several sizes keep them, unless a size is requested."""
        return False

    def _learn_pixels(self, objective: nn.Module, samples: Samples) -> None:
        """Set the statistics of pixels and masks in the networks, and store the weights' origin."""
        set_statistics(objective, samples)
        set_priors(objective, samples)
        self.__dict__.pop("weights_", None)
        self.__dict__.update(weights_of(getattr(objective, "network", objective)))

    def _outputs(
        self,
        X: Any,
        activation: Callable[[Tensor], Tensor] | None = None,
        tile_size: int | None = None,
        forward: Callable[[Tensor], Tensor] | None = None,
        batch_size: int | None = None,
        flips: str | None = None,
        reduce: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]]]:
        """Return the images of `X`, and the outputs of the network for them, batch by batch."""
        self._check_at_prediction()
        images = check_images(self, X, reset=False)
        # Only maps can be tiled; the output of a layer is for the whole image.
        adjustable = ("image_size", "tile_size") if forward is None else ("image_size",)
        plan = PredictionPlan(
            batch_size=batch_size or self._setting("batch_size"),
            image_size=self.image_size_,
            tile_size=tile_size,
            flips=flips,
            device=choose_device(self.device),
            precision=self.precision_ if self.precision == "auto" else self.precision,
            n_threads=choose_threads(self.n_threads),
            adjustable=tuple(name for name in adjustable if hasattr(self, name)),
        )
        grid = self._grid(images)
        outputs = predict_batches(
            self.network_, images, plan, activation, forward, grid=grid, reduce=reduce
        )
        return images, outputs

    def _grid(self, images: Images) -> NDArray[np.intp] | None:
        """Return the size of each image on a common grid, if images are resampled to one."""
        return None

    def _kept_networks(self) -> list[nn.Module]:
        return [vars(self)[name] for name in self._networks]

    def _setting(self, name: str) -> Any:
        """Return a parameter, or the value chosen for it if "auto"; None if it does not exist."""
        value = getattr(self, name, None)
        return getattr(self, "chosen_", {}).get(name, value) if is_auto(value) else value

    def _check_at_prediction(self) -> None:
        """Check the parameters that may have been set since `fit`."""
        names = [name for name in self._at_prediction if name in self._parameter_constraints]
        validate_parameter_constraints(
            {name: self._parameter_constraints[name] for name in names},
            {name: getattr(self, name) for name in names},
            caller_name=type(self).__name__,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with the network as its recipe and numpy arrays."""
        state = dict(super().__getstate__())
        state.pop("_state", None)
        state |= {name: freeze(state[name]) for name in self._networks if name in state}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network of the state from its recipe and arrays."""
        networks = {name: thaw(state[name]) for name in self._networks if name in state}
        super().__setstate__({**state, **networks})


def is_auto(value: Any) -> bool:
    """Tell whether a parameter, which may be an array or a function, is "auto"."""
    return isinstance(value, str) and value == "auto"
