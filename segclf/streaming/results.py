"""The folder of a run: finished parts, then the tables made from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from segclf.data import atomic_write
from segclf.streaming.tables import Column, Row, table_for

_ERRORS = (Column("index", int), Column("path", str), Column("error", str))


class Results:
    """Tracks which parts of its shard a run has written.

    A part is written whole or not at all, its errors first, so that an existing part is complete.
    When all parts exist, they are joined into one table, and removed.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    stem, suffix : str
        Parts of the table's name; the suffix is ``".csv"`` or ``".parquet"``.
    columns : sequence of Column
        Columns of the table.
    """

    def __init__(self, folder: Path, stem: str, suffix: str, columns: Sequence[Column]) -> None:
        self.table, self.errors = folder / f"{stem}{suffix}", folder / f"{stem}-errors{suffix}"
        self._note, self._parts = folder / f"{stem}.json", folder / f"{stem}.parts"
        self._table = table_for(self.table, columns)
        self._of_errors = table_for(self.errors, _ERRORS)

    def begin(self, what: dict[str, Any], *, resume: bool) -> None:
        """Record what is predicted, or check that it is the same as before.

        Raises
        ------
        ValueError
            If there are results and `resume` is False, or they are of another prediction.
        """
        self._note.parent.mkdir(parents=True, exist_ok=True)
        if self._note.exists():
            self._compare(json.loads(self._note.read_text()), what, resume)
        elif self.table.exists() or self.errors.exists():
            raise ValueError(
                f"{str(self.table)!r} exists, but no {self._note.name} that describes it. Use "
                "another folder, or another name for the table."
            )
        else:
            atomic_write(self._note, json.dumps(what, indent=1).encode())

    @property
    def complete(self) -> bool:
        """Whether the tables exist."""
        return self.table.exists() and self.errors.exists()

    def has(self, rows: range) -> bool:
        """Tell whether the part of these images was finished."""
        return self._part(rows).exists()

    def write(self, rows: range, table: Sequence[Row], errors: Sequence[Row]) -> None:
        """Write the part of some images."""
        self._parts.mkdir(exist_ok=True)
        self._of_errors.write(self._part(rows, "-errors"), errors)
        self._table.write(self._part(rows), table)

    def finish(self, portions: Iterable[range]) -> None:
        """Join all parts, the errors first, and remove them."""
        if not self.complete:
            parts = list(portions)
            self._of_errors.join(self.errors, (self._part(rows, "-errors") for rows in parts))
            self._table.join(self.table, (self._part(rows) for rows in parts))
        shutil.rmtree(self._parts, ignore_errors=True)

    def _part(self, rows: range, kind: str = "") -> Path:
        return self._parts / f"{rows.start:012}-{rows.stop:012}{kind}{self.table.suffix}"

    def _compare(self, before: dict[str, Any], now: dict[str, Any], resume: bool) -> None:
        if not resume:
            raise ValueError(
                f"{str(self._note.parent)!r} holds results already. Add --resume to continue, "
                "or use another folder."
            )
        other = [name for name in now if before.get(name) != now[name]]
        if other:
            raise ValueError(
                f"{str(self._note.parent)!r} holds results of other {', '.join(other)}: "
                f"{_shown(before, other)}; now {_shown(now, other)}. Use another folder, or the "
                "same arguments as before."
            )


def _shown(what: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={what.get(name)!s:.60}" for name in names)
