"""What is global in torch reaches no fit and no prediction, and nothing of theirs gets out."""

from segclf.isolation.generators import get_random_state, seeded, set_random_state
from segclf.isolation.settings import isolated
from segclf.isolation.threads import threads

__all__ = ["get_random_state", "isolated", "seeded", "set_random_state", "threads"]
