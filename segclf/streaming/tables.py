"""Tables that are written part by part, and joined at the end."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from segclf.data import atomic_write

Row = Sequence[Any]


class Column(NamedTuple):
    """A column: its name, and the type of its values, int, float or str."""

    name: str
    kind: type


class Table(ABC):
    """Writes rows to a file.

    Parameters
    ----------
    columns : sequence of Column
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)

    @abstractmethod
    def write(self, path: Path, rows: Sequence[Row]) -> None:
        """Write a part, whole or not at all."""

    @abstractmethod
    def join(self, path: Path, parts: Iterable[Path]) -> None:
        """Write all parts as one file; one part at a time is in memory."""


class CsvTable(Table):
    """Comma-separated values, UTF-8; floats with as few digits as keep all bits."""

    def write(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows without a header; see `Table.write`."""
        atomic_write(path, as_csv(rows))

    def join(self, path: Path, parts: Iterable[Path]) -> None:
        """Write the header, then the parts; see `Table.join`."""
        header = as_csv([[column.name for column in self.columns]])
        atomic_write(path, _then(header, parts))


def _then(header: bytes, parts: Iterable[Path]) -> Iterator[bytes]:
    yield header
    for part in parts:
        yield part.read_bytes()


def as_csv(rows: Iterable[Row]) -> bytes:
    """Return rows as comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


class ParquetTable(Table):
    """Parquet files, with one row group for each part."""

    def write(self, path: Path, rows: Sequence[Row]) -> None:
        """Write a file of one row group; see `Table.write`."""
        atomic_write(path, self._file([self._table(rows)]))

    def join(self, path: Path, parts: Iterable[Path]) -> None:
        """Copy row group by row group; see `Table.join`."""
        from pyarrow import parquet

        atomic_write(path, self._file(parquet.read_table(part) for part in parts))

    def _table(self, rows: Sequence[Row]) -> Any:
        import pyarrow

        schema = self._schema()
        values = zip(*rows, strict=True) if rows else [()] * len(self.columns)
        columns = [
            pyarrow.array(map(_valid, each), field.type)
            for each, field in zip(values, schema, strict=True)
        ]
        return pyarrow.Table.from_arrays(columns, schema=schema)

    def _file(self, tables: Iterable[Any]) -> Iterator[bytes]:
        from pyarrow import parquet

        sink = _Sink()
        with parquet.ParquetWriter(sink, self._schema()) as writer:
            for table in tables:
                writer.write_table(table)
                yield sink.taken()
        yield sink.taken()

    def _schema(self) -> Any:
        import pyarrow

        kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
        return pyarrow.schema([(column.name, kinds[column.kind]) for column in self.columns])


def _valid(value: Any) -> Any:
    """Return text that is valid in UTF-8, which file names need not be."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value


class _Sink(io.RawIOBase):
    """A file whose written bytes can be taken out."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def table_for(path: Path, columns: Sequence[Column]) -> Table:
    """Return the table type for a file name.

    Raises
    ------
    ImportError
        For Parquet, if pyarrow is missing.
    ValueError
        For another suffix.
    """
    if path.suffix == ".csv":
        return CsvTable(columns)
    if path.suffix != ".parquet":
        raise ValueError(
            f"The table is {path.name!r}; expected a name that ends in .csv or .parquet."
        )
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path.name!r} needs pyarrow, which is not installed: pip install 'segclf[parquet]', "
            "or use a table name that ends in .csv"
        ) from error
    return ParquetTable(columns)
