"""The commands of ``python -m segclf``: one module each, with its options and its run."""

from segclf.commands import audit, demo, info, plugins, predict, report

__all__ = ["COMMANDS"]

#: The commands, in the order of the help.
COMMANDS = (demo, predict, report, audit, plugins, info)
