"""Try installed plugins, each in a separate process: ``python -m segclf plugins --check``.

A plugin runs in the process that uses it. A plugin that ends this process or never returns takes
everything with it, which cannot be prevented, but it can be detected in advance.
"""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from segclf import registry
from segclf.process_state import GlobalStateWarning
from segclf.registry import PluginInfo

__all__ = ["Tried", "check_plugins"]

_CHILD = "from segclf.plugin_check import main; main()"
_ANSWER = "segclf.plugin_check: "


class Tried(NamedTuple):
    """The result of trying one plugin.

    Parameters
    ----------
    plugin : PluginInfo
        The plugin.
    result : {"ok", "error", "timeout", "died"}
        "died" means that the process ended before it could answer.
    message : str
        The error, or warnings if there was no error.
    seconds : float
        Duration, including the start of the process.
    """

    plugin: PluginInfo
    result: str
    message: str
    seconds: float


def check_plugins(distribution: str | None = None, *, seconds: float = 60) -> Iterator[Tried]:
    """Query each entry point, import each class and create an instance, in a process for each.

    Parameters
    ----------
    distribution : str or None
        Only plugins of this distribution.
    seconds : float
        Time limit for each plugin.

    Yields
    ------
    Tried
        One for each plugin, and for each entry point that fails to list its plugins.
    """
    for point in entry_points(group=registry.GROUP):
        whole = registry.described(point)
        if distribution is not None and whole.distribution != distribution:
            continue
        asked, found = _run({"ask": asdict(whole)}, whole, seconds)
        if asked.result != "ok":
            yield asked
        for each in found:
            plugin = _plugin(each)
            if plugin.state == "broken":
                yield Tried(plugin, "error", plugin.error, asked.seconds)
            else:
                yield _run({"make": asdict(plugin)}, plugin, seconds)[0]


def _run(task: dict[str, Any], plugin: PluginInfo, seconds: float) -> tuple[Tried, list[Any]]:
    """Run a task in a new process; return its result, and what it found."""
    start = time.monotonic()
    command = [sys.executable, "-c", _CHILD, json.dumps(task)]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    try:
        done = subprocess.run(command, timeout=seconds, errors="replace", **options)
    except subprocess.TimeoutExpired:
        message = f"no answer after {seconds:g} seconds"
        return Tried(plugin, "timeout", message, time.monotonic() - start), []
    took = time.monotonic() - start
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if not answers:
        told = f"; it wrote: {done.stderr.strip()[-500:]}" if done.stderr.strip() else ""
        message = f"its process ended with status {done.returncode}{told}"
        return Tried(plugin, "died", message, took), []
    answer = json.loads(answers[-1].removeprefix(_ANSWER))
    return Tried(plugin, answer["result"], answer["message"], took), answer["found"]


def main() -> None:
    """Do one task in a child process, and write the answer."""
    ((kind, described),) = json.loads(sys.argv[1]).items()
    plugin, found, error = _plugin(described), [], ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GlobalStateWarning)
        if kind == "ask":
            found = [asdict(each) for each in registry.ask(_point(plugin))]
        else:
            try:
                registry.make_instance(replace(plugin, state="ok"))
            except registry.PluginError as raised:
                error = str(raised)
    told = [str(each.message) for each in caught if each.category is GlobalStateWarning]
    answer = {"result": "error" if error else "ok", "message": error or " ".join(told)}
    print("\n" + _ANSWER + json.dumps({**answer, "found": found}), flush=True)


def _plugin(described: dict[str, Any]) -> PluginInfo:
    return PluginInfo(**{**described, "suffixes": tuple(described["suffixes"])})


def _point(plugin: PluginInfo) -> EntryPoint:
    points = entry_points(group=registry.GROUP)
    return next(each for each in points if registry.described(each) == plugin)
