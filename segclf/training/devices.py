"""Where to compute, in which precision, on how many threads."""

import contextlib
import multiprocessing
import os
from typing import TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

from segclf.distributed import n_processes
from segclf.objectives import Batch

THREADS_VARIABLE = "SEGCLF_NUM_THREADS"
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
Module = TypeVar("Module", bound=nn.Module)


def choose_device(device: str) -> torch.device:
    """Return the torch device of that name; "auto" is CUDA, else MPS, else the CPU.

    With several processes, each uses the GPU of its local rank.

    Examples
    --------
    >>> from segclf.training import choose_device
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        local = os.environ.get("LOCAL_RANK") if n_processes() > 1 else None
        return torch.device("cuda" if local is None else f"cuda:{local}")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_threads(n_threads: int | None) -> int:
    """Return how many threads to compute with.

    The rule, first match wins: the estimator's ``n_threads``; the environment variable
    ``SEGCLF_NUM_THREADS``; 1 inside a worker process, since its siblings compute too; otherwise
    ``OMP_NUM_THREADS``, else the CPUs that this process may use. The load of the machine
    plays no part, so that one seed gives the same bits twice.

    Examples
    --------
    >>> from segclf.training import choose_threads
    >>> choose_threads(2)
    2
    """
    if n_threads is not None:
        return n_threads
    if THREADS_VARIABLE in os.environ:
        return int(os.environ[THREADS_VARIABLE])
    if multiprocessing.current_process().name != "MainProcess":
        return 1
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return int(os.environ["OMP_NUM_THREADS"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[None]:
    """Return the context in which a network computes in that precision."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def loss_scaler(optimizer: Optimizer, device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Return what scales the loss in fp16, whose small gradients would be 0; else does nothing.

    Steps with gradients that are not finite are skipped, and lower the scale.
    """
    scales = precision == "fp16"
    if scales:
        # torch's fused SGD starts from uninitialized momenta if it skips its first step itself.
        optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    return torch.amp.GradScaler(device.type, enabled=scales)


def moved(module: Module, device: torch.device) -> Module:
    """Move a module to the device, with kernels in the order that is fastest: channels last."""
    axes = {each.ndim for each in module.parameters()} & {4, 5}
    if len(axes) > 1:  # torch knows an order for images or for volumes
        return module.to(device)
    order = torch.channels_last_3d if axes == {5} else torch.channels_last
    return module.to(device, memory_format=order)  # type: ignore[call-overload]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on the device."""
    if device.type == "cpu":
        return batch
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}
