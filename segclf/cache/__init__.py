"""Reuse of earlier results: digests that name them, and folders that hold them."""

from segclf.cache.checkpoint_files import CheckpointFiles, with_tensors, without_tensors
from segclf.cache.digests import digest, learned
from segclf.cache.memory import Memory, as_memory, remember_features, remember_scores

__all__ = [
    "CheckpointFiles",
    "Memory",
    "as_memory",
    "digest",
    "learned",
    "remember_features",
    "remember_scores",
    "with_tensors",
    "without_tensors",
]
