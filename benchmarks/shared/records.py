"""Results of a benchmark, one line of JSON for each run, so that it can resume."""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib


class Records:
    """The rows of a file that were measured with the same settings.

    Parameters
    ----------
    path : Path
        The file; rows of other settings stay in it.
    settings : dict
        Everything that a result depends on, except its task.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        text = json.dumps(settings, sort_keys=True)
        self.run = hashlib.sha256(text.encode()).hexdigest()[:12]

    def rows(self) -> list[dict[str, Any]]:
        """Return the existing results."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [row for row in map(json.loads, lines) if row["run"] == self.run]

    def write(self, task: tuple[Any, ...], scores: dict[str, Any], seconds: float) -> None:
        """Add a row, and print its numbers."""
        row = {"task": task, **scores, "seconds": seconds, "run": self.run}
        with self.path.open("ab", buffering=0) as file:  # one write, so that no two rows mix
            file.write(f"{json.dumps(row)}\n".encode())
        shown = {name: round(s, 3) for name, s in scores.items() if isinstance(s, float)}
        print(*task, f"{seconds:.1f} s", shown, flush=True)


def measured(
    tasks: Sequence[Any], run: Callable[..., None], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Run tasks without results, `jobs` at a time, and return the rows of all tasks."""
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run)(task, options) for task in missing(tasks, options)
    )
    rows = rows_by_task(options)
    return [rows[task] for task in tasks]


def missing(tasks: Sequence[Any], options: argparse.Namespace) -> list[Any]:
    """Return the tasks without results."""
    done = rows_by_task(options)
    return [task for task in tasks if task not in done]


def rows_by_task(options: argparse.Namespace) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the results by task."""
    return {tuple(row["task"]): row for row in records(options).rows()}


def records(options: argparse.Namespace) -> Records:
    """Return the results of the benchmark `options.name` with `options.settings`."""
    return Records(options.output / f"{options.name}.jsonl", options.settings)


def settings_of(options: argparse.Namespace, **more: Any) -> dict[str, Any]:
    """Return everything that a result depends on, except its task."""
    weights = options.weights.name if options.weights else "from scratch"
    return {"setting": options.setting, "weights": weights, **more}
