"""Processes that begin when tests are collected, so that a second core has something to do.

A test that needs one is marked ``@pytest.mark.early(process)`` and asks for ``result(process)``.
"""

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Process:
    """A command, and what is set in its environment; its working folder is its own by default."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None


class Done(NamedTuple):
    """How a process ended, all that it said, and the folder that it worked in."""

    returncode: int
    output: str
    folder: Path


_pool = ThreadPoolExecutor(CORES)
_futures: dict[Process, Future[Done]] = {}
_running: set[subprocess.Popen[str]] = set()
_folders: list[str] = []


def begin(process: Process) -> Future[Done]:
    """Let it run beside the tests, once."""
    if process not in _futures:
        _futures[process] = _pool.submit(_run, process)
    return _futures[process]


def result(process: Process) -> Done:
    """Wait for its end."""
    return begin(process).result()


def stop() -> None:
    """End what nobody waits for any more, and leave nothing behind."""
    _pool.shutdown(wait=False, cancel_futures=True)
    for popen in list(_running):
        popen.kill()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def _run(process: Process) -> Done:
    folder = process.folder or Path(tempfile.mkdtemp(prefix="segclf-early-"))
    if process.folder is None:
        _folders.append(str(folder))
    popen = subprocess.Popen(
        process.command,
        cwd=folder,
        env={**os.environ, **dict(process.environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _running.add(popen)
    try:
        output, _ = popen.communicate()
    finally:
        _running.discard(popen)
    return Done(popen.returncode, output, folder)
