"""Add a command to ``python -m segclf``."""

import argparse
from collections.abc import Callable
from typing import Any


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str | None = None,
    examples: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command, and return the parser of its options.

    Parameters
    ----------
    commands : what ``ArgumentParser.add_subparsers`` returned
    name : str
    run : function
        Takes the parsed options, and returns the exit status.
    summary : str
        The line in the list of commands.
    description, examples : str, optional
        Text in the command's own help, before and after the options, line by line.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser
