"""``python -m segclf plugins``: list installed plugins, and check that they work."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from segclf.commands.command import add_command
from segclf.plugin_check import check_plugins
from segclf.registry import PluginInfo, list_plugins

COLUMNS = ("kind", "name", "distribution", "version", "state")
_CHECKED = "{:<15} {:<24} {:<20} {:<9} {:<8} {}"


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    plugins = add_command(commands, "plugins", run, summary="list the installed plugins")
    plugins.add_argument("--json", action="store_true", help="everything, for programs")
    plugins.add_argument("--verbose", action="store_true", help="whole tracebacks")
    plugins.add_argument(
        "--check", action="store_true", help="try each in its own process; exit with 1 if one fails"
    )
    plugins.add_argument("--distribution", help="with --check: only plugins of this one")
    plugins.add_argument(
        "--seconds", type=float, default=60, help="with --check: time limit of each (%(default)s)"
    )


def run(given: argparse.Namespace) -> int:
    """Print the plugins; return 1 if one was tried and failed."""
    if given.check:
        return _check(given.distribution, given.seconds)
    print(_plugins_json() if given.json else _plugins_table(given.verbose))
    return 0


def _plugins_json() -> str:
    return json.dumps([asdict(plugin) for plugin in list_plugins()], indent=2)


def _plugins_table(verbose: bool) -> str:
    """Return one row for each plugin, with its error below, if any."""
    plugins = list_plugins()
    rows = [COLUMNS, *(_row(plugin) for plugin in plugins)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for number, plugin in reversed(list(enumerate(plugins, start=2))):
        trouble = plugin.error.strip().splitlines()
        lines[number:number] = [f"    {line}" for line in (trouble if verbose else trouble[-1:])]
    return "\n".join(lines)


def _check(distribution: str | None, seconds: float) -> int:
    """Print a row for each plugin as soon as it has been tried, with its error below, if any."""
    failed = 0
    print(_CHECKED.format(*COLUMNS[:-1], "result", "seconds"))
    for plugin, result, message, took in check_plugins(distribution, seconds=seconds):
        failed += result != "ok"
        print(_CHECKED.format(*_row(plugin)[:-1], result, f"{took:.1f}"))
        for line in message.strip().splitlines()[-1:]:
            print(f"    {line}")
    return int(failed > 0)


def _row(plugin: PluginInfo) -> tuple[str, ...]:
    return tuple(str(getattr(plugin, column) or "?") for column in COLUMNS)
