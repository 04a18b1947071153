"""The state of the loop: everything that training needs to continue."""

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from segclf.isolation import get_random_state, set_random_state
from segclf.networks import ImageNetwork, forget
from segclf.objectives import Objective, Progress
from segclf.progress import Task
from segclf.training.averaging import AveragedWeights
from segclf.training.devices import loss_scaler, moved
from segclf.training.optimizers import make_optimizer
from segclf.training.plan import Row, TrainingPlan
from segclf.training.schedules import constant, get_schedule

# Entries of a parameter group that depend on the fraction of training done.
_OF_LENGTH = {"schedule", "weight_decay_schedule", "start"}


class TrainingState:
    """The state of training at the end of an epoch.

    With the same plan and the same batches, a new state that loaded another one's dictionary
    continues as the other would have, bit for bit.

    Parameters
    ----------
    objective : Objective
        What is trained; moved to the plan's device.
    plan : TrainingPlan
        How it is trained.

    Attributes
    ----------
    objective : Objective
        The objective, with all weights and buffers.
    device : torch.device
        The device that it is on.
    optimizer : Optimizer
        Optimizer of the objective's parameters.
    precision : {"fp32", "bf16", "fp16"}
        The precision computed in.
    scaler : GradScaler
        Scales the loss in fp16.
    history : list of dict
        One row for each finished epoch.
    best : BestWeights
        Weights of the best epoch, kept if the plan asks for it.
    average : AveragedWeights
        The mean of the network's weights over the last steps, if the plan asks for it.
    largest_part : int or None
        Largest number of images computed at once, since more did not fit into memory; None if whole
        batches fit.
    n_steps : int
        Number of finished steps.
    follows_length : bool
        Whether the state depends on the planned length of training.
    termination : str or None
        Why training ended, None if it has not: "max_epochs", "max_steps", "max_seconds",
        "n_iter_no_change", "callback" or "interrupted".

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification
    >>> from segclf.training import TrainingPlan, TrainingState
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> plan = TrainingPlan(max_epochs=2, learning_rate=1e-3, device=torch.device("cpu"))
    >>> state = TrainingState(objective, plan)
    >>> state.epoch, state.n_steps
    (0, 0)
    """

    def __init__(self, objective: Objective, plan: TrainingPlan) -> None:
        self.objective = moved(objective, plan.device)
        self.optimizer = make_optimizer(
            plan.optimizer,
            objective.parameter_groups(),
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
        )
        self.precision = plan.precision
        self.scaler = loss_scaler(self.optimizer, plan.device, plan.precision)
        self.history: list[Row] = []
        self.best = BestWeights(plan.n_iter_no_change, plan.monitor)
        self.average = AveragedWeights(objective)
        self.largest_part: int | None = None
        self.n_steps = 0
        self.termination: str | None = None
        self._task = Task("training")
        self.device = plan.device
        images = (each for each in objective.modules() if isinstance(each, ImageNetwork))
        self._waiting = [each for each in images if each.encoder_start > 0]
        self.follows_length = (
            get_schedule(plan.schedule) is not constant
            or bool(plan.average_weights or self._waiting)
            or any(_OF_LENGTH & group.keys() for group in self.optimizer.param_groups)
        )

    @property
    def epoch(self) -> int:
        """Number of finished epochs, which is the index of the next one."""
        return len(self.history)

    def counted(self, n_steps: int) -> Task:
        """Return a context that counts the steps of training for `show_progress`."""
        self._task = Task("training", n_steps, "steps", done=self.n_steps)
        return self._task

    def progress(self, step: int, fraction: float) -> Progress:
        """Return the progress; reading its fraction marks the state as dependent on the length."""
        progress = _Watched(self.epoch, step, fraction)
        progress.state = self
        return progress

    def reach(self, step: int, n_steps: int) -> None:
        """Start to train encoders whose start is at or before that step, counted from 0."""
        self._task.reach(step)
        for network in self._waiting:
            if not network.encoder_learns and step >= round(network.encoder_start * n_steps):
                network.let_encoder_learn()
                forget(network)

    def add(self, row: Row) -> None:
        """Add the row of the epoch that ends here."""
        self.history.append(row)
        self.best.look(self.objective, row)
        self._lose_patience()

    def state_dict(self) -> dict[str, Any]:
        """Return the state as dictionaries and lists of tensors, numbers and strings.

        As usual in torch, training changes these tensors in place: copy them to keep them.
        """
        return {
            "objective": self.objective.state_dict(),
            "optimizer": _plain(self.optimizer.state_dict()),
            "generators": get_random_state(self.device),
            "precision": self.precision,
            "scaler": self.scaler.state_dict(),
            "largest_part": self.largest_part,
            "history": [dict(row) for row in self.history],
            "n_steps": self.n_steps,
            "termination": self.termination,
            "best": self.best.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned, random generators included."""
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(_completed(state["optimizer"], self.optimizer))
        self.precision, self.largest_part = state["precision"], state["largest_part"]
        self.scaler = loss_scaler(self.optimizer, self.device, self.precision)
        if state.get("scaler"):  # empty where nothing is scaled
            self.scaler.load_state_dict(state["scaler"])
        self.history = [dict(row) for row in state["history"]]
        self.n_steps, self.termination = state["n_steps"], state["termination"]
        self.best.load_state_dict(state["best"])
        self.average.load_state_dict(state["average"])
        self._lose_patience()
        set_random_state(state["generators"], self.device)

    def _lose_patience(self) -> None:
        if self.best.patience_is_over:
            self.termination = self.termination or "n_iter_no_change"


class _Watched(Progress):
    """Progress that records whether its fraction is read."""

    state: TrainingState

    @property
    def fraction(self) -> float:
        self.state.follows_length = True
        return self[2]

    def __iter__(self) -> Iterator[Any]:
        self.state.follows_length = True
        return super().__iter__()


class BestWeights:
    """The weights of the best epoch, if the plan has a `monitor` or may stop early.

    Parameters
    ----------
    patience : int or None
        Number of epochs without a better one after which training stops.
    monitor : str or None
        Criterion for the best epoch, as in `TrainingPlan`. None means the loss with a `patience`;
        without one, no weights are kept.
    """

    def __init__(self, patience: int | None, monitor: str | None = None) -> None:
        self._patience, self._monitor = patience, monitor
        self._loss = float("inf")
        self._n_worse = 0
        self._weights: dict[str, Tensor] | None = None

    @property
    def patience_is_over(self) -> bool:
        """Whether training should stop."""
        return self._patience is not None and self._n_worse >= self._patience

    def look(self, objective: Objective, row: Row) -> None:
        """Keep the weights if the epoch is the best so far; the first of equal ones counts."""
        if self._patience is None and self._monitor is None:
            return
        loss = self._to_lower(row)
        self._n_worse += 1
        if loss < self._loss:
            self._loss, self._n_worse = loss, 0
            self._weights = copy.deepcopy(objective.state_dict())

    def _to_lower(self, row: Row) -> float:
        if self._monitor in (None, "loss"):
            return row.get("validation_loss", row["loss"])
        return -row[f"validation_{self._monitor}"]

    def restore(self, objective: Objective) -> None:
        """Load the best weights into the objective, if any were kept."""
        if self._weights is not None:
            objective.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the lowest loss (or measure times -1), the epochs since, and the weights."""
        return {"loss": self._loss, "n_worse": self._n_worse, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._loss, self._n_worse = state["loss"], state["n_worse"]
        self._weights = copy.deepcopy(state["weights"])


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out schedules: they are functions, and belong to the plan or the objective."""
    groups = [
        {name: value for name, value in group.items() if not callable(value)}
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def _completed(state: dict[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """Put the optimizer's own schedules where `_plain` left some out."""
    pairs = zip(optimizer.param_groups, state["param_groups"], strict=True)
    return {**state, "param_groups": [{**ours, **theirs} for ours, theirs in pairs]}
