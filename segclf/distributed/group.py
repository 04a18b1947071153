"""The processes that train together, started by ``torchrun`` or in an existing group."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist

from segclf.isolation.shared import in_forked_child

_LAUNCHED = "TORCHELASTIC_RUN_ID"
_forked = False
_joined = False


@in_forked_child
def _after_fork() -> None:
    """Leave the group: a forked child has no rank of its own."""
    global _forked
    _forked = True


def n_processes() -> int:
    """Return the number of processes that train together; 1 for a single process.

    The first call joins the group. Worker processes, and threads other than the main one, are not
    part of it, since others could not follow the order of their calls.

    Examples
    --------
    >>> from segclf.distributed import n_processes
    >>> n_processes()
    1
    """
    return dist.get_world_size() if _is_member() else 1


def rank() -> int:
    """Return the number of this process, from 0.

    Examples
    --------
    >>> from segclf.distributed import rank
    >>> rank()
    0
    """
    return dist.get_rank() if _is_member() else 0


def is_first() -> bool:
    """Tell whether this process is the one that writes and prints.

    Examples
    --------
    >>> from segclf.distributed import is_first
    >>> is_first()
    True
    """
    return rank() == 0


@contextmanager
def explained() -> Iterator[None]:
    """Explain errors in the communication between processes.

    Raises
    ------
    RuntimeError
        If one of the processes has ended, or computes something else.
    """
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            f"Process {dist.get_rank()} of {dist.get_world_size()} got no answer from the others: "
            "one of them has ended, or computes something else; its own error says why. With "
            "checkpoint=folder the same call of fit resumes, with any number of processes."
        ) from error


def _is_member() -> bool:
    if _forked or not dist.is_available():
        return False
    if not dist.is_initialized() and not _launched():
        return False
    if threading.current_thread() is not threading.main_thread():
        return False
    _join()
    return True


def _launched() -> bool:
    is_main = multiprocessing.current_process().name == "MainProcess"
    return _LAUNCHED in os.environ and is_main and int(os.environ.get("WORLD_SIZE", "1")) > 1


def _join() -> None:
    """Start with equal random numbers, since ``random_state=None`` uses those of numpy."""
    global _joined
    if _joined:
        return
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    _joined = True
    state = [np.random.get_state()]  # noqa: NPY002
    with explained():
        dist.broadcast_object_list(state, src=0)
    if dist.get_rank() > 0:
        np.random.set_state(state[0])  # noqa: NPY002
