"""Modes and defaults of torch, as they are in a fresh process."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_changing = threading.Lock()
_within = 0
_outside = torch.float32
_mine = threading.local()


def _after_fork() -> None:
    """Forget the threads that did not come along, one of which may have held the lock."""
    global _changing, _within
    _changing = threading.Lock()
    mine = getattr(_mine, "within", 0)
    if _within and not mine:
        torch.set_default_dtype(_outside)
    _within = mine


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def isolated() -> Iterator[None]:
    """Compute as a fresh process does.

    Gradients are recorded, nothing is cast automatically, new tensors are float32 and on the CPU,
    whatever was set outside. What torch obeys is left alone: deterministic algorithms, anomaly
    detection, the precision of matrix products.

    Examples
    --------
    >>> with torch.no_grad(), torch.autocast("cpu"), isolated():
    ...     torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    (True, False)
    """
    with ExitStack() as stack:
        stack.enter_context(_float32())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def _float32() -> Iterator[None]:
    """Let new tensors be float32: the first one in sets it, the last one out restores it.

    The default type is the one setting that torch has for the process alone.
    """
    global _within, _outside
    with _changing:
        if not _within:
            _outside = torch.get_default_dtype()
        _within += 1
        _mine.within = getattr(_mine, "within", 0) + 1
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _changing:
            _within -= 1
            _mine.within -= 1
            if not _within:
                torch.set_default_dtype(_outside)
