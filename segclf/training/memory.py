"""Memory: how to recognize that it ran out, and how much is available."""

from pathlib import Path

import torch

_OF_TORCH = ("out of memory", "can't allocate memory", "not enough memory")
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


class OutOfMemoryWarning(UserWarning):
    """A batch or an image does not fit into memory, and is computed in parts."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory is too small; torch's on the CPU is a RuntimeError.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes do not fit"))
    (True, False)
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _OF_TORCH)


def release(device: torch.device) -> None:
    """Release memory that the device caches and that is no longer used."""
    if device.type in ("cuda", "mps"):
        torch.get_device_module(device).empty_cache()


def available_memory() -> int | None:
    """Return how many bytes this process may still allocate; None if the system does not say.

    On Linux that is what the kernel reports as available, or what is left of a container's limit,
    whichever is less.

    Examples
    --------
    >>> from segclf.training import available_memory
    >>> n_bytes = available_memory()
    >>> n_bytes is None or n_bytes > 0
    True
    """
    if not _MEMINFO.exists():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
    if "MemAvailable" not in lines:
        return None
    available = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = (_number(_CGROUP / name) for name in ("memory.max", "memory.current"))
    return available if limit is None or used is None else max(0, min(available, limit - used))


def _number(path: Path) -> int | None:
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else None
