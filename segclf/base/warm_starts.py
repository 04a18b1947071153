"""Continue from what an estimator learned before: ``warm_start=True``."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from segclf.training import TrainingPlan, TrainingState


class Learned(NamedTuple):
    """What an earlier fit left, before the next one changes the estimator.

    Parameters
    ----------
    networks : list of nn.Module
        The networks that the estimator keeps.
    state : dict or None
        State of its training, from `TrainingState.state_dict`; None if the estimator is a copy, or
        was loaded from a file.
    """

    networks: list[nn.Module]
    state: dict[str, Any] | None

    @classmethod
    def of(cls, estimator: Any) -> Self | None:
        """Return what an estimator continues from; None if it starts anew."""
        if not estimator.warm_start or "history_" not in vars(estimator):
            return None
        return cls(estimator._kept_networks(), vars(estimator).get("_state"))

    def hand_on(
        self, state: TrainingState, networks: list[nn.Module], plan: TrainingPlan, n_batches: int
    ) -> None:
        """Start a state that is about to be trained from here.

        Training continues with the next epoch of a longer training, or the first of another one.

        Raises
        ------
        ValueError
            If the networks have another structure.
        """
        try:
            for network, learned in zip(networks, self.networks, strict=True):
                network.load_state_dict(learned.state_dict())
            if self.state is not None:
                self._hand_on_state(self.state, state, plan, n_batches)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                "warm_start=True continues with the existing network, but these images, masks and "
                f"parameters need another one; set warm_start=False to start anew: {error}"
            ) from error

    def _hand_on_state(
        self, before: dict[str, Any], state: TrainingState, plan: TrainingPlan, n_batches: int
    ) -> None:
        n_steps = len(before["history"]) * plan.steps_per_epoch(n_batches)
        goes_on = n_steps < plan.n_steps(n_batches)
        kept = ("objective", *(("optimizer", "generators", "history") if goes_on else ()))
        state.load_state_dict({**state.state_dict(), **{name: before[name] for name in kept}})


def check_classes(estimator: Any, classes: NDArray[Any]) -> None:
    """Refuse to continue with other classes than those of the network.

    Raises
    ------
    ValueError
        If they differ from those of the fit before.
    """
    before = vars(estimator).get("classes_")
    goes_on = estimator.warm_start and "history_" in vars(estimator)
    if goes_on and before is not None and not np.array_equal(before, classes):
        raise ValueError(
            f"warm_start=True continues with the classes {before.tolist()}, but y has "
            f"{classes.tolist()}; expected the same, or warm_start=False."
        )
