"""Processes that train together must learn from the same images."""

from typing import Any

from segclf.data import Loader
from segclf.distributed import n_processes, require_agreement


def require_same_data(estimator: Any, seed: int, batches: Loader) -> None:
    """Refuse to train with processes that have other data, or another seed.

    Raises
    ------
    ValueError
        In each of the processes.
    """
    if n_processes() > 1:
        require_agreement(
            (seed, batches.fingerprint()),
            f"The processes have different data or seeds for {type(estimator).__name__}; expected "
            "the same X, y and random_state in each. If a random split makes X, fix its seed.",
        )
