import pytest
import torch

from segclf.training import available_memory, memory
from segclf.training.memory import is_out_of_memory

SAID = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
]


@pytest.mark.parametrize("error", SAID, ids=str)
def test_what_says_that_memory_is_too_small(error):
    assert is_out_of_memory(error)


def test_what_torch_says_when_it_is():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes"), ValueError("out of memory"), OSError()])
def test_what_does_not(error):
    assert not is_out_of_memory(error)


@pytest.mark.parametrize(
    ("limit", "available"), [(None, 2048 * 1024), ("max", 2048 * 1024), ("5000", 4000), ("1", 0)]
)
def test_what_is_available(tmp_path, monkeypatch, limit, available):
    (tmp_path / "meminfo").write_text("MemTotal: 4096 kB\nMemAvailable: 2048 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
        (tmp_path / "memory.current").write_text("1000")
    assert available_memory() == available


def test_where_the_system_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "nothing")
    assert available_memory() is None
    (tmp_path / "nothing").write_text("MemTotal: 4096 kB\n")
    assert available_memory() is None
