"""The modes and defaults of torch in a fresh process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from segclf.isolation.shared import Shared


@contextmanager
def isolated() -> Iterator[None]:
    """Compute as in a fresh process.

    Gradients are recorded, nothing is cast automatically, and new tensors are float32 and on the
    CPU, whatever was set outside. Settings that restrict computations are kept: deterministic
    algorithms, anomaly detection, the precision of matrix products.

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


def _remember_default_dtype() -> Callable[[], None]:
    return partial(torch.set_default_dtype, torch.get_default_dtype())


# The only setting that torch has per process, not per thread.
_default_dtype = Shared(_remember_default_dtype)


@contextmanager
def _float32() -> Iterator[None]:
    """Let new tensors be float32, as long as any thread is inside."""
    with _default_dtype():
        torch.set_default_dtype(torch.float32)
        yield
