"""An estimator that trains one network, and how its parameters become a plan."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from torch import Tensor

from segclf.base.batch_of_one import explained
from segclf.base.front_door import check_images
from segclf.base.frozen_network import freeze
from segclf.base.image_size import choose_size
from segclf.base.network_state import set_statistics, thaw
from segclf.base.split import split_validation
from segclf.base.training_parameters import TrainingParameters
from segclf.data import Augmentation, Images, Loader, Samples, as_augmentation, as_views
from segclf.isolation import isolated, seeded, threads
from segclf.objectives import Objective
from segclf.training import (
    PredictionPlan,
    TrainingPlan,
    choose_device,
    choose_precision,
    choose_threads,
    predict_batches,
    train,
)


class NetworkEstimator(CallbackSupportMixin, TrainingParameters, ABC):
    """What every estimator shares that trains a network.

    Attributes
    ----------
    network_ : nn.Module
        The trained network.
    history_ : dict of array
        Mean of each loss term and measure, epoch by epoch.
    n_iter_ : int
        Number of epochs trained.
    image_size_ : (int, int) or None
        Height and width that images are brought to; None where they stay as they are.
    precision_ : {"bf16", "fp32"}
        The precision computed in.
    n_channels_ : int
        Number of image channels.
    image_scale_ : dict or None
        What `fit` saw: the images' ``dtype``, their smallest and largest number, ``low`` and
        ``high``, and the ``typical`` largest one of an image. Others are refused. None for rows.
    n_features_in_ : int
        Number of features of each row; only where X is rows.
    """

    # Attributes that hold what was learned as a network.
    _networks: ClassVar[tuple[str, ...]] = ("network_",)
    # Parameters that also decide predictions, in which changes after `fit` take effect.
    _at_prediction: ClassVar[tuple[str, ...]] = ("batch_size", "device", "precision", "n_threads")
    # A method to which images without mask and label are worth something says True.
    _learns_from_unlabeled: ClassVar[bool] = False

    @abstractmethod
    def _make_objective(self, samples: Samples) -> Objective:
        """Build what this method trains; its ``network`` is what the estimator keeps."""

    def _make_views(self) -> tuple[Augmentation, ...]:
        """Return the paper's views, where a method compares views of an image."""
        return ()

    @contextmanager
    def _started(
        self, objective: Objective, X: Any, seed: int, context: CallbackContext
    ) -> Iterator[None]:
        """Let the objective start from what was learned before, and its training run within."""
        yield

    def _end(self, samples: Samples) -> None:
        """Complete the network after its training on the samples."""

    @property
    def _n_parts(self) -> int:
        """Number of fits that are parts of ours."""
        return 0

    def _open(self, X: Any) -> Images:
        """Check parameters and images at the start of ``fit``."""
        self._validate_params()
        images = check_images(self, X, reset=True)
        self.image_size_ = choose_size(self.image_size, images)
        return images

    def _learn(
        self,
        samples: Samples,
        *,
        strata: NDArray[Any] | None = None,
        groups: Any = None,
        X: Any = None,
        y: Any = None,
        wrap: Callable[[Objective], Objective] = lambda objective: objective,
        keep_unlabeled: bool = False,
    ) -> None:
        """Train on the samples and keep what was learned; callbacks are shown `X` and `y`.

        What `wrap` makes of the method's objective is trained; its `network` is still the same. It
        may learn from images of which nothing is known, even where the method does not.
        """
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        device = choose_device(self.device)
        context = self._init_callback_context(max_subtasks=self.max_epochs + self._n_parts)
        with threads(choose_threads(self.n_threads)), isolated(), seeded(seed, device):
            training, validation = self._split(samples, strata, groups, seed, keep_unlabeled)
            objective = self._make_objective(samples)
            set_statistics(objective, training)
            batches, held_out = self._loaders(training, validation, seed)
            context.call_on_fit_task_begin(estimator=self)
            with self._started(objective, X, seed, context), explained(training, self.batch_size):
                objective = wrap(objective)
                first = next(batches.epoch(0))
                self.precision_ = choose_precision(self.precision, objective, first, device)
                self.network_ = objective.network
                history = train(objective, batches, self._plan(device, context, X, y), held_out)
                self.network_ = objective.network.eval()
                self._end(training)
            context.call_on_fit_task_end(estimator=self)
        self.__dict__.update(as_learned(history))

    def _split(
        self,
        samples: Samples,
        strata: NDArray[Any] | None,
        groups: Any,
        seed: int,
        keep_unlabeled: bool,
    ) -> tuple[Samples, Samples | None]:
        return split_validation(
            samples,
            self.validation_fraction,
            strata=strata,
            groups=groups,
            seed=seed,
            keep_unlabeled=keep_unlabeled or self._learns_from_unlabeled,
        )

    def _loaders(
        self, training: Samples, validation: Samples | None, seed: int
    ) -> tuple[Loader, Loader | None]:
        paper = self._make_views()
        views = as_views(self.augmentation, paper) if paper else ()
        augmentation = None if paper else as_augmentation(self.augmentation)
        make = partial(Loader, batch_size=self.batch_size, seed=seed, views=views)
        batches = make(training, augmentation=augmentation)
        return batches, None if validation is None else make(validation, shuffle=False)

    def _plan(self, device: torch.device, context: CallbackContext, X: Any, y: Any) -> TrainingPlan:
        rows: list[dict[str, float]] = []

        def after_epoch(row: dict[str, float]) -> bool:
            rows.append(row)
            if self.verbose:
                print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
            task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
            stop = task.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes=lambda: as_learned(rows)
            )
            return bool(stop)

        return TrainingPlan(
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            schedule=self.schedule,
            device=device,
            precision=self.precision_,
            n_iter_no_change=self.n_iter_no_change,
            after_epoch=after_epoch,
        )

    def _outputs(
        self,
        X: Any,
        activation: Callable[[Tensor], Tensor] | None = None,
        tile_size: int | None = None,
        forward: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]]]:
        """Return the images of `X`, and what the network says of them, batch by batch."""
        self._check_at_prediction()
        images = check_images(self, X, reset=False)
        plan = PredictionPlan(
            batch_size=self.batch_size,
            image_size=self.image_size_,
            tile_size=tile_size,
            device=choose_device(self.device),
            precision=self.precision_ if self.precision == "auto" else self.precision,
            n_threads=choose_threads(self.n_threads),
        )
        return images, predict_batches(self.network_, images, plan, activation, forward)

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
        state |= {name: freeze(state[name]) for name in self._networks if name in state}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network of the state from its recipe and arrays."""
        networks = {name: thaw(state[name]) for name in self._networks if name in state}
        super().__setstate__({**state, **networks})


def as_learned(history: list[dict[str, float]]) -> dict[str, Any]:
    """Return the attributes that tell of the epochs."""
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    return {"history_": columns, "n_iter_": len(history)}
