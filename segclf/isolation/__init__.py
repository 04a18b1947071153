"""What is global in torch reaches no fit and no prediction, and nothing of theirs gets out."""

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
