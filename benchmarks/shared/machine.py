"""The line with machine and date above every table of a benchmark."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "scikit-learn", "segmentation-models-pytorch", "numpy")


def describe_machine() -> str:
    """Return date, processor, cores, accelerator and versions in one line."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, {accelerator}, "
        f"Python {platform.python_version()}, {versions}"
    )


def processor() -> str:
    """Return the processor's name where the system tells it."""
    lines = Path("/proc/cpuinfo")
    if lines.exists():
        for line in lines.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
