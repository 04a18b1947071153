"""Images in a column of Parquet files, as bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import accumulate
from threading import Lock
from typing import Any, cast

import numpy as np

from segclf.data.locations import is_url, open_location
from segclf.data.stored_images import StoredImages

__all__ = ["ParquetImages"]

_KEPT = 2  # row groups


class ParquetImages(StoredImages):
    """Images in a column of Parquet files: encoded bytes, or Hugging Face's ``{bytes, path}``.

    A row group is read as a whole, and the last two are kept: read in order, each is read once; in
    any other order, for nearly each image. It needs ``segclf[parquet]``.

    Parameters
    ----------
    paths : str or path-like, or sequence of them
        The files or their URLs; images are in their order.
    column : str, optional
        Name of the column; by default the only one that holds bytes.

    Raises
    ------
    ImportError
        If pyarrow is missing.
    ValueError
        If there is no such column, or several are possible.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import pyarrow
    >>> import pyarrow.parquet
    >>> from PIL import Image
    >>> from segclf.data import ParquetImages
    >>> png = io.BytesIO()
    >>> Image.fromarray(np.zeros((4, 4), np.uint8)).save(png, format="PNG")
    >>> table = pyarrow.table({"image": [png.getvalue()] * 3})
    >>> pyarrow.parquet.write_table(table, "images.parquet")
    >>> len(ParquetImages("images.parquet"))
    3
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        column: str | None = None,
    ) -> None:
        given = [paths] if isinstance(paths, str | os.PathLike) else paths
        self._paths = [os.fspath(path) for path in given]
        self._columns: list[str] = []
        self._groups: list[tuple[int, int, int]] = []  # file, row group, its first row there
        counts: list[int] = []
        for number, path in enumerate(self._paths):
            name, sizes = _layout(path, column)
            self._columns.append(name)
            firsts = [0, *accumulate(sizes[:-1])]
            self._groups += [(number, group, first) for group, first in enumerate(firsts)]
            counts += sizes
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._kept: dict[int, Any] = {}
        self._lock = Lock()
        super().__init__(int(self._ends[-1]) if counts else 0)

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the row group that holds an image, and its position there."""
        group = int(np.searchsorted(self._ends, row, side="right"))
        return group, row - (int(self._ends[group - 1]) if group else 0)

    def _key(self, row: int) -> str:
        group, place = self._place(row)
        number, _, first = self._groups[group]
        return f"{self._paths[number]}[{first + place}]"

    def _file(self, row: int) -> str | None:
        path = self._paths[self._groups[self._place(row)[0]][0]]
        return None if is_url(path) else path

    def _bytes(self, row: int) -> bytes:
        group, place = self._place(row)
        value = self._read(group)[place].as_py()
        value = value.get("bytes") if isinstance(value, dict) else value
        if value is None:
            raise ValueError("the row holds no bytes")
        return bytes(value)

    def _read(self, group: int) -> Any:
        with self._lock:
            if group not in self._kept:
                number, place, _ = self._groups[group]
                column = self._columns[number]
                with open_location(self._paths[number]) as file:
                    table = _parquet().ParquetFile(file).read_row_group(place, columns=[column])
                while len(self._kept) >= _KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[group] = table.column(column)
            return self._kept[group]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the row groups read."""
        return {**vars(self), "_kept": {}, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set the state, with a new lock; parts of one process share neither."""
        vars(self).update({**state, "_lock": Lock()})


def _layout(path: str, column: str | None) -> tuple[str, list[int]]:
    """Return the column, and the number of rows in each row group."""
    module = _parquet()
    try:
        with open_location(path) as file:
            table = module.ParquetFile(file)
            groups = range(table.num_row_groups)
            sizes = [table.metadata.row_group(group).num_rows for group in groups]
            schema = table.schema_arrow
    except _arrow_error() as error:
        raise ValueError(f"Cannot read {path!r}: {error}") from error
    return _column_of(schema, column, path), sizes


def _column_of(schema: Any, column: str | None, path: str) -> str:
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if column is None and len(found) == 1:
        return str(found[0])
    if column in found:
        return str(column)
    wanted = "one column of bytes" if column is None else f"a column {column!r} of bytes"
    raise ValueError(
        f"{path!r} has the columns {', '.join(schema.names)}, of which {', '.join(found) or 'none'}"
        f" hold bytes; expected {wanted}. Name it: ParquetImages(paths, column=...)."
    )


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        return "bytes" in names and _holds_bytes(kind.field(names.index("bytes")).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _arrow_error() -> type[Exception]:
    import pyarrow

    return cast(type[Exception], pyarrow.ArrowException)


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow, which is not installed: pip install 'segclf[parquet]'"
        ) from error
    return pyarrow.parquet
