"""Training in several processes: all know the whole batch, and share the work of networks.

Every process runs the same script on the same data, makes the same batches and takes the same
decisions. Only the computation of networks is split, image by image, and reassembled, so that
losses over a batch, queues, centers and clusters see the whole batch, as in one process.
"""

from segclf.distributed.agreement import (
    agreed,
    agreed_by_all,
    require_agreement,
    require_equal_weights,
)
from segclf.distributed.batch_norm import batch_moments, synchronized
from segclf.distributed.gradients import average_gradients
from segclf.distributed.group import is_first, n_processes, rank
from segclf.distributed.shares import Share, gathered, in_shares, own_share, share_of, whole_batch

__all__ = [
    "Share",
    "agreed",
    "agreed_by_all",
    "average_gradients",
    "batch_moments",
    "gathered",
    "in_shares",
    "is_first",
    "n_processes",
    "own_share",
    "rank",
    "require_agreement",
    "require_equal_weights",
    "share_of",
    "synchronized",
    "whole_batch",
]
