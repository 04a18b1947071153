"""``python -m segclf demo``: segmentation against classification, in a minute."""

import argparse
import pathlib
from typing import Any

from segclf.commands.command import add_command


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    demo = add_command(
        commands, "demo", run, summary="segmentation against classification, in a minute"
    )
    demo.add_argument(
        "--output",
        type=pathlib.Path,
        default=pathlib.Path("segclf-demo.png"),
        help="where to write the picture (%(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="decides images and training")
    demo.add_argument("--epochs", type=int, help="passes over the training images")


def run(given: argparse.Namespace) -> int:
    """Train both, print their scores and write the picture."""
    from segclf.demo import run as run_demo  # imports torch, which other commands do not need

    run_demo(given.output, seed=given.seed, max_epochs=given.epochs or "auto")
    return 0
