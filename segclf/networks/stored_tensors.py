"""Files of weights: names, types and shapes first, then the numbers of those that are wanted.

The one place that opens such files. safetensors files hold tensors only; those of `torch.save` are
read without running what a pickle may contain, see :mod:`segclf.files.plain_pickle`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from segclf.files import Container, open_regular
from segclf.networks.stored import Stored
from segclf.networks.torch_files import torch_tensors

# Of a header, in bytes: networks have thousands of tensors, and each takes a hundred or two.
_LONGEST_HEADER = 8_000_000
# What all tensors may take together, as a multiple of the file: some lie in one storage.
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
    """List the tensors of a file; those in nested dictionaries get dotted names.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is damaged, or holds anything but tensors and plain values; it does not name the
        file.
    """
    with open_regular(path) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if path.suffix == ".safetensors":
            found = container_tensors(Container(path, longest=_LONGEST_HEADER))
        else:
            found = torch_tensors(path, file, n_bytes)
    needed = sum(each.nbytes for each in found.values())
    if needed > _SHARED * n_bytes:
        raise ValueError(f"its tensors would take {needed} bytes, of {n_bytes} in the file")
    return found


def container_tensors(container: Container) -> dict[str, Stored]:
    """List the tensors of a safetensors file."""

    def reader(name: str, dtype: torch.dtype, shape: list[int]) -> Callable[[], Tensor]:
        return lambda: _numbers(container.read(name), dtype).reshape(shape)

    return {
        name: Stored(torch.Size(entry["shape"]), dtype, reader(name, dtype, entry["shape"]))
        for name, entry in container.entries.items()
        for dtype in [_DTYPES[entry["dtype"]]]
    }


def _numbers(content: bytearray, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
