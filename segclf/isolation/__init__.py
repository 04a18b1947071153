"""Isolate fits and predictions from the global state of torch, in both directions."""

from segclf.isolation._threads import threads
from segclf.isolation.generators import (
    get_random_state,
    rows_of_batch,
    seeded,
    set_random_state,
)
from segclf.isolation.settings import isolated
from segclf.isolation.shared import Shared

__all__ = [
    "Shared",
    "get_random_state",
    "isolated",
    "rows_of_batch",
    "seeded",
    "set_random_state",
    "threads",
]
