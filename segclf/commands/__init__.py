"""What ``python -m segclf`` does: one module a command, with its options and its run."""

from segclf.commands import audit, demo, info, plugins, predict, report

__all__ = ["COMMANDS"]

#: In the order of the help.
COMMANDS = (demo, predict, report, audit, plugins, info)
