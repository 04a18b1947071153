"""Base class of estimators that train one network; it turns parameters into a plan."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.utils import check_random_state

from segclf.axes import N_SPATIAL
from segclf.base.batch_of_one import explained
from segclf.base.checkpoints import found_again
from segclf.base.monitor import Score, refuse_monitor
from segclf.base.network_holder import NetworkHolder
from segclf.base.same_data import require_same_data
from segclf.base.split import split_validation
from segclf.base.supervision import Supervision
from segclf.base.training_parameters import TrainingParameters
from segclf.base.warm_starts import Learned
from segclf.data import (
    Augment,
    Augmentation,
    CopyPaste,
    Loader,
    RandomCrops,
    Samples,
    as_augmentation,
    as_views,
)
from segclf.distributed import is_first
from segclf.isolation import isolated, seeded, threads
from segclf.objectives import Objective
from segclf.training import (
    Measure,
    TrainingPlan,
    TrainingState,
    choose_device,
    choose_precision,
    choose_threads,
    train,
)

# Parameters that have the same names in the plan.
_OF_PLAN = (
    "max_epochs",
    "max_steps",
    "max_seconds",
    "learning_rate",
    "weight_decay",
    "optimizer",
    "schedule",
    "clip_gradients",
    "accumulate_batches",
    "average_weights",
    "monitor",
    "n_iter_no_change",
)


class InterruptedFitWarning(UserWarning):
    """A fit was interrupted; what it learned until then is kept."""


class NetworkEstimator(CallbackSupportMixin, TrainingParameters, NetworkHolder, ABC):
    """Base class of every estimator that trains a network.

    Attributes
    ----------
    history_ : dict of array
        Mean of each loss term and measure, epoch by epoch.
    n_iter_ : int
        Number of epochs trained; the last may have ended early.
    n_steps_ : int
        Number of training steps, which are updates of the weights.
    termination_condition_ : str
        What ended training: "max_epochs", "max_steps", "max_seconds", "n_iter_no_change",
        "callback" or "interrupted" (Ctrl-C, without a `checkpoint`).
    """

    # True for a method that also learns from images without mask and label.
    _learns_from_unlabeled: ClassVar[bool] = False
    # Metrics that may decide the best epoch; a method with others makes them in `_monitored`.
    _monitors: ClassVar[tuple[str, ...]] = ("loss",)

    @abstractmethod
    def _make_objective(self, samples: Samples) -> Objective:
        """Build the objective to train; the estimator keeps its ``network``."""

    def _make_views(self) -> tuple[Augmentation, ...]:
        """Return the paper's views, if the method compares views of an image."""
        return ()

    def _choose(self, supervision: Supervision, n_taught: int | None = None) -> None:
        """Choose values for parameters that are "auto", if any.

        Rules count the labeled images, or the `n_taught` images that another estimator labels.
        """

    @contextmanager
    def _started(
        self, objective: Objective, X: Any, seed: int, context: CallbackContext
    ) -> Iterator[None]:
        """Start the objective from what was learned before; training runs in this context."""
        yield

    def _end(self, samples: Samples) -> None:
        """Complete the network after its training on the samples."""

    def _monitored(self, held_out: Samples) -> Score:
        """Return a function that computes the metric `monitor` on batches of held-out samples."""
        raise NotImplementedError

    @property
    def _n_parts(self) -> int:
        """Number of fits that are part of this one."""
        return 0

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
        """Train on the samples and keep what was learned; callbacks receive `X` and `y`.

        `wrap` may change the method's objective, but not its `network`. The wrapped objective may
        learn from unlabeled images, even if the method does not.
        """
        seed = check_random_state(self._seeds).randint(np.iinfo(np.int32).max)
        device = choose_device(self.device)
        context = self._init_callback_context(max_subtasks=self._n_tasks)
        after_epoch = partial(self._after_epoch, context, X, y)
        with threads(choose_threads(self.n_threads)), isolated(), seeded(seed, device):
            parts = self._split(samples, strata, groups, seed, keep_unlabeled)
            objective = self._make_objective(samples)
            self._learn_pixels(objective, parts[0])
            batches, held_out = self._loaders(objective, *parts, seed)
            require_same_data(self, seed, batches)
            context.call_on_fit_task_begin(estimator=self)
            with self._started(objective, X, seed, context), explained(parts[0], batches):
                objective = wrap(objective)
                state, plan = self._begin(objective, batches, parts[1], device, after_epoch)
                with found_again(self, state, plan, seed, batches, held_out) as checkpoint:
                    train(objective, batches, plan, held_out, state=state, checkpoint=checkpoint)
                self._keep(state)
                self._end(parts[0])
            context.call_on_fit_task_end(estimator=self)

    def _begin(
        self,
        objective: Objective,
        batches: Loader,
        held_out: Samples | None,
        device: torch.device,
        after_epoch: Callable[[TrainingState, dict[str, float]], bool],
    ) -> tuple[TrainingState, TrainingPlan]:
        """Return the state at the start, possibly from an earlier fit, and the plan of training."""
        before = Learned.of(self)
        self.network_ = objective.network
        self.precision_ = self._choose_precision(objective, batches, device)
        plan = self._plan(device, held_out)
        state = TrainingState(objective, plan)
        if before is not None:
            before.hand_on(state, self._kept_networks(), plan, len(batches))
        return state, replace(plan, after_epoch=partial(after_epoch, state))

    def _keep(self, state: TrainingState) -> None:
        self.network_ = state.objective.network.eval()
        self.precision_ = state.precision
        self.__dict__.update(as_learned(state.history))
        self.n_steps_, self.termination_condition_ = state.n_steps, state.termination
        self.__dict__.pop("_state", None)
        if self.warm_start or state.termination == "interrupted":
            self._state = state.state_dict()
        if state.termination == "interrupted":
            self._tell_of_interrupt()

    def _tell_of_interrupt(self) -> None:
        """Say how to continue; if this fit is part of another one, end that, too."""
        said = (
            f"Training was interrupted in epoch {self.n_iter_ - 1}. What was learned is kept; with "
            "warm_start=True a further fit continues from it. With checkpoint=folder the same call "
            "of fit resumes, also in another process."
        )
        if hasattr(self, "_parent_callback_ctx"):
            raise KeyboardInterrupt(said)
        warnings.warn(said, InterruptedFitWarning, stacklevel=4)

    @property
    def _n_tasks(self) -> int | None:
        """Number of tasks that callbacks are told of, if it is known in advance."""
        return None if self._setting("max_steps") else self._setting("max_epochs") + self._n_parts

    def _choose_precision(self, objective: Objective, batches: Loader, device: torch.device) -> str:
        return choose_precision(self.precision, objective, next(batches.epoch(0)), device)

    def _augmentation(self, objective: Objective) -> Augment | None:
        """Return the loader's random augmentation of images; views have their own."""
        return None if self._make_views() else as_augmentation(self.augmentation)

    def _make_crops(self) -> RandomCrops | None:
        """Return the cropper of training images, if any."""
        return None

    def _make_paste(self, n_images: int) -> CopyPaste | None:
        """Return what pastes patches between the n images of a batch, if anything does."""
        return None

    def _split(
        self,
        samples: Samples,
        strata: NDArray[Any] | None,
        groups: Any,
        seed: int,
        keep_unlabeled: bool,
    ) -> tuple[Samples, Samples | None]:
        training, held_out = split_validation(
            samples,
            self.validation_fraction,
            strata=strata,
            groups=groups,
            seed=seed,
            keep_unlabeled=keep_unlabeled or self._learns_from_unlabeled,
        )
        if samples.held_out is not None and held_out is not None:
            raise ValueError(
                f"Both X_val and validation_fraction={self.validation_fraction} were given to "
                f"{type(self).__name__}; expected one of them."
            )
        held_out = held_out or samples.held_out
        self._measure(held_out)  # its errors are raised before training
        return training, held_out

    def _measure(self, held_out: Samples | None) -> Measure | None:
        if self.monitor in (None, "loss"):
            return None
        refuse_monitor(self, held_out)
        assert held_out is not None
        score = self._monitored(held_out)
        return lambda batches: {f"validation_{self.monitor}": score(batches)}

    def _loaders(
        self, objective: Objective, training: Samples, validation: Samples | None, seed: int
    ) -> tuple[Loader, Loader | None]:
        paper = self._make_views()
        views = as_views(self.augmentation, paper) if paper else ()
        batch_size = self._setting("batch_size")
        make = partial(Loader, batch_size=batch_size, seed=seed, views=views)
        augmentation = self._augmentation(objective)
        batches = make(
            training,
            augmentation=augmentation,
            crops=self._make_crops(),
            paste=self._make_paste(min(batch_size, len(training))),
        )
        # Held-out volumes may have several sizes, and be too large to load whole.
        crops = None if training.images.n_spatial == N_SPATIAL else self._make_crops()
        held_out = None if validation is None else make(validation, shuffle=False, crops=crops)
        return batches, held_out

    def _plan(self, device: torch.device, held_out: Samples | None) -> TrainingPlan:
        return TrainingPlan(
            **{name: self._setting(name) for name in _OF_PLAN},
            device=device,
            precision=self.precision_,
            measure=self._measure(held_out),
        )

    def _after_epoch(
        self, context: CallbackContext, X: Any, y: Any, state: TrainingState, row: dict[str, float]
    ) -> bool:
        if self.verbose and is_first():
            print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
        stop = task.call_on_fit_task_end(
            estimator=self,
            X=X,
            y=y,
            reconstruction_attributes=lambda: as_learned(state.history),
        )
        return bool(stop)


def as_learned(history: list[dict[str, float]]) -> dict[str, Any]:
    """Return the attributes that describe the epochs."""
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    return {"history_": columns, "n_iter_": len(history)}
