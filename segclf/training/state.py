"""The state of the loop: all that training needs to go on from where it stands."""

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from segclf.isolation import get_random_state, set_random_state
from segclf.networks import ImageNetwork, forget
from segclf.objectives import Objective, Progress
from segclf.training.averaging import AveragedWeights
from segclf.training.devices import moved
from segclf.training.optimizers import make_optimizer
from segclf.training.plan import Row, TrainingPlan
from segclf.training.schedules import constant, get_schedule

# Of a group of parameters: what makes of the fraction of training done something of its own.
_OF_LENGTH = {"schedule", "weight_decay_schedule", "start"}


class TrainingState:
    """Where a training stands, at the end of an epoch.

    With the same plan and the same batches, a fresh state that loaded the dictionary of another one
    goes on as the other would have gone on, bit for bit.

    Parameters
    ----------
    objective : Objective
        What is trained; moved to the plan's device.
    plan : TrainingPlan
        How it is trained.

    Attributes
    ----------
    objective : Objective
        With all weights and buffers.
    device : torch.device
        Where it is.
    optimizer : Optimizer
        Of the objective's parameters.
    precision : {"fp32", "bf16"}
        The precision computed in.
    history : list of dict
        A row for each epoch that is done.
    best : BestWeights
        Those of the best epoch, kept where the plan asks for it.
    average : AveragedWeights
        The mean of the network's weights over the last steps, where the plan asks for it.
    largest_part : int or None
        How many images are computed at once, at most, since more did not fit into memory; None
        where whole batches do.
    n_steps : int
        Number of steps that are done.
    follows_length : bool
        Whether anything so far would have been otherwise in a shorter or longer training.
    termination : str or None
        Why training ended, None where it has not: "max_epochs", "max_steps", "max_seconds",
        "n_iter_no_change", "callback" or "interrupted".
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
        self.history: list[Row] = []
        self.best = BestWeights(plan.n_iter_no_change, plan.monitor)
        self.average = AveragedWeights(objective)
        self.largest_part: int | None = None
        self.n_steps = 0
        self.termination: str | None = None
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
        """Number of epochs that are done, which is the next one's number."""
        return len(self.history)

    def progress(self, step: int, fraction: float) -> Progress:
        """Return where training stands; who asks for the fraction goes by the length of it."""
        progress = _Watched(self.epoch, step, fraction)
        progress.state = self
        return progress

    def reach(self, step: int, n_steps: int) -> None:
        """Let the encoders learn whose start has come by that step, from 0."""
        for network in self._waiting:
            if not network.encoder_learns and step >= round(network.encoder_start * n_steps):
                network.let_encoder_learn()
                forget(network)

    def add(self, row: Row) -> None:
        """Take in the row of the epoch that ends here."""
        self.history.append(row)
        self.best.look(self.objective, row)
        self._lose_patience()

    def state_dict(self) -> dict[str, Any]:
        """Return tensors, numbers, texts, and dictionaries and lists of them.

        As everywhere in torch, the tensors are those that training changes: copy them to keep them.
        """
        return {
            "objective": self.objective.state_dict(),
            "optimizer": _plain(self.optimizer.state_dict()),
            "generators": get_random_state(self.device),
            "precision": self.precision,
            "largest_part": self.largest_part,
            "history": [dict(row) for row in self.history],
            "n_steps": self.n_steps,
            "termination": self.termination,
            "best": self.best.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stand where the state stood of which this is the dictionary; random generators too."""
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(_completed(state["optimizer"], self.optimizer))
        self.precision, self.largest_part = state["precision"], state["largest_part"]
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
    """Progress that notes whether anybody looks at the fraction."""

    state: TrainingState

    @property
    def fraction(self) -> float:
        self.state.follows_length = True
        return self[2]

    def __iter__(self) -> Iterator[Any]:
        self.state.follows_length = True
        return super().__iter__()


class BestWeights:
    """The weights of the best epoch, where the plan names what tells it, or may stop early.

    Parameters
    ----------
    patience : int or None
        Number of epochs without a better one after which training is over.
    monitor : str or None
        What tells the best epoch, as of `TrainingPlan`; None is the loss with a `patience`, and
        else keeps nothing.
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
        """Keep the weights if the epoch is the best so far; of equal ones the first is."""
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
        """Give the objective the best weights, if any were kept."""
        if self._weights is not None:
            objective.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the lowest loss (or measure times -1), the epochs since, and the weights."""
        return {"loss": self._loss, "n_worse": self._n_worse, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another one kept."""
        self._loss, self._n_worse = state["loss"], state["n_worse"]
        self._weights = copy.deepcopy(state["weights"])


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Leave schedules out: they are functions, and the plan's or the objective's."""
    groups = [
        {name: value for name, value in group.items() if not callable(value)}
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def _completed(state: dict[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """Put the optimizer's own schedules where `_plain` left some out."""
    pairs = zip(optimizer.param_groups, state["param_groups"], strict=True)
    return {**state, "param_groups": [{**ours, **theirs} for ours, theirs in pairs]}
