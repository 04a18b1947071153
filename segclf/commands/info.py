"""``python -m segclf info``: the facts to include in a bug report."""

import argparse
import importlib.metadata
import os
import platform
import sys
from typing import Any

from segclf.commands.command import add_command
from segclf.registry import list_plugins

PACKAGES = {
    "segclf": "segclf",
    "torch": "torch",
    "torchvision": "torchvision",
    "scikit-learn": "scikit-learn",
    "segmentation-models-pytorch": "segmentation-models-pytorch",
    "timm": "timm",
    "numpy": "numpy",
    "opencv": "opencv-python-headless",
}


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    add_command(commands, "info", run, summary="versions, device, precision, threads")


def run(given: argparse.Namespace) -> int:
    """Print a line for each fact."""
    print("\n".join(f"{name:<28} {value}" for name, value in _info().items()))
    return 0


def _info() -> dict[str, str]:
    import torch

    from segclf.training import choose_device, choose_threads, has_native_bf16

    found = {name: _version(distribution) for name, distribution in PACKAGES.items()}
    native = has_native_bf16(choose_device("auto"))
    return {
        "python": sys.version.split()[0],
        **found,
        "system": platform.platform(),
        "device": _device(),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
        "cores": f"{usable_cores()} usable of {os.cpu_count()}",
        "threads": f"{choose_threads(None)} by our rule, {torch.get_num_threads()} by torch's",
        "precision": "bf16 for networks that benefit from it" if native else "fp32: no native bf16",
        "plugins": ", ".join(sorted({plugin.distribution for plugin in list_plugins()})),
    }


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()})"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def usable_cores() -> int | None:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
