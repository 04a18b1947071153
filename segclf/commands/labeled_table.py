"""A CSV file of images with labels, masks and groups."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("image", "label", "mask", "group")
EXAMPLE = """\
  image,label,mask,group
  scans/001.png,1,masks/001.png,patient7
  scans/002.png,0,,patient8
"""


@dataclass(frozen=True, kw_only=True)
class LabeledTable:
    """The rows of a table, column by column.

    Parameters
    ----------
    images : list of Path
        Files of the images.
    labels : list of int, str or None; or None
        None for an empty cell, and instead of the list if there is no such column. Integers, if all
        labels are whole numbers.
    masks : list of Path or None; or None
        Files of the masks; None likewise.
    groups : list of str, or None
        The group of each image, such as its patient.
    """

    images: list[Path]
    labels: Any
    masks: list[Path | None] | None
    groups: list[str] | None


def read_labeled_table(path: str | Path, *, required: Sequence[str] = ("image",)) -> LabeledTable:
    """Read a CSV file with the columns ``image`` and, optionally, ``label``, ``mask``, ``group``.

    Other columns are ignored. Relative paths start at the folder of the table.

    Raises
    ------
    ValueError
        If a required column is missing, a cell of ``image`` or ``group`` is empty, or there are no
        rows.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names, rows = reader.fieldnames or [], list(reader)
    if missing := [name for name in required if name not in names]:
        others = [name for name in COLUMNS if name not in required]
        raise ValueError(
            f"{path}: there is no column {missing[0]!r}, only "
            f"{', '.join(names) or 'an empty file'}. "
            f"Expected a CSV file with {', '.join(required)} and, if known, {', '.join(others)}."
        )
    cells = {name: [(row[name] or "").strip() for row in rows] for name in COLUMNS if name in names}
    if not rows:
        raise ValueError(f"{path}: there is a header, but no row.")
    for name in {"image", "group"} & set(cells):
        if "" in cells[name]:
            raise ValueError(f"{path}, line {cells[name].index('') + 2}: '{name}' is empty.")
    folder = Path(path).parent
    masks = cells.get("mask")
    return LabeledTable(
        images=[folder / name for name in cells["image"]],
        labels=_labels(cells["label"]) if "label" in cells else None,
        masks=[folder / name if name else None for name in masks] if masks else None,
        groups=cells.get("group"),
    )


def _labels(cells: list[str]) -> list[Any]:
    try:
        return [int(cell) if cell else None for cell in cells]
    except ValueError:
        return [cell or None for cell in cells]
