"""Files of weights: names, types and shapes first, then the values of the tensors needed.

Only this module opens such files. safetensors files hold only tensors; files of `torch.save` are
read without executing any code in their pickle, see :mod:`segclf.files.plain_pickle`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from segclf.files import Container, open_regular
from segclf.networks.stored import Stored
from segclf.networks.torch_files import torch_tensors

# Largest header in bytes: networks have thousands of tensors of 100 to 200 bytes each.
_LONGEST_HEADER = 8_000_000
# Largest size of all tensors, as a multiple of the file's: tensors may share storages.
_SHARED = 8
_DTYPES = {
    "BOOL": torch.bool,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "C64": torch.complex64,
    **{f"I{bits}": getattr(torch, f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": getattr(torch, f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"F{bits}": getattr(torch, f"float{bits}") for bits in (16, 32, 64)},
}


def stored_tensors(path: Path) -> dict[str, Stored]:
    """Return the tensors of a file by name; those in nested dictionaries get dotted names.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        If it is damaged, or holds anything but tensors and plain values; the message does not name
        the file.
    """
    with open_regular(path) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if path.suffix == ".safetensors":
            found = container_tensors(Container(path, longest=_LONGEST_HEADER))
        else:
            found = torch_tensors(path, file, n_bytes)
    needed = sum(each.nbytes for each in found.values())
    if needed > _SHARED * n_bytes:
        raise ValueError(f"its tensors would take {needed} bytes; the file has {n_bytes}")
    return found


def container_tensors(container: Container) -> dict[str, Stored]:
    """Return the tensors of a safetensors file by name."""

    def reader(name: str, dtype: torch.dtype, shape: list[int]) -> Callable[[], Tensor]:
        return lambda: _numbers(container.read(name), dtype).reshape(shape)

    return {
        name: Stored(torch.Size(entry["shape"]), dtype, reader(name, dtype, entry["shape"]))
        for name, entry in container.entries.items()
        for dtype in [_DTYPES[entry["dtype"]]]
    }


def _numbers(content: bytearray, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
