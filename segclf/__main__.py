"""``python -m segclf demo | predict | report | audit | plugins | info``."""

import argparse
import sys

from segclf.commands import COMMANDS

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments as on the command line; by default those of the process.

    Returns
    -------
    int
        The exit status of the process: 2 if the command cannot use its arguments.
    """
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except (ImportError, OSError, ValueError) as error:
        print(f"python -m segclf {given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = " With --resume it continues from here." if hasattr(given, "resume") else ""
        print(f"\nInterrupted.{hint}", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segclf", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
