"""The rows of a part: predictions for images that could be read, errors for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from segclf.data import Images, ReadImages, StoredImages
from segclf.streaming.answers import Answers
from segclf.streaming.mask_files import MaskFiles
from segclf.streaming.tables import Column, Row

# The row of an image and its mask, or its error.
_Said = tuple[Row, Any] | str


class Part(NamedTuple):
    """Rows of the table of results, and of the table of errors."""

    rows: list[Row]
    errors: list[Row]

    def require_some(self) -> None:
        """Refuse a part in which no image could be predicted.

        Raises
        ------
        ValueError
            With the error of the first image.
        """
        if not self.rows:
            raise ValueError(
                f"None of the first {len(self.errors)} images can be predicted, so the others are "
                f"not tried. The first error: {self.errors[0][-1]}"
            )


def columns_of(answers: Answers, masks: str | None) -> list[Column]:
    """Return the columns of the table."""
    mask = [] if masks is None else [Column("mask", str)]
    return [Column("index", int), Column("path", str), *answers.columns, *mask]


def add_to(
    part: Part,
    read: ReadImages,
    answers: Answers,
    stored: StoredImages,
    files: MaskFiles | None,
) -> tuple[int, int]:
    """Predict the images read, write masks, and add a row for each image; count rows, errors."""
    said: dict[int, _Said] = dict(read.errors)
    indices = read.indices.tolist()
    if indices:
        said |= zip(indices, _predict(answers, read.images), strict=True)
    n_rows = sum(not isinstance(each, str) for each in said.values())
    masks = {i: each[1] for i, each in said.items() if files and not isinstance(each, str)}
    names = files.write(masks, read.images, indices) if files else {}
    for index in sorted(said):
        row, key = said[index], stored.key(index)
        if isinstance(row, str):
            part.errors.append([index, key, " ".join(row.split())])
        else:
            part.rows.append([index, key, *row[0], *([names[index]] if names else [])])
    return n_rows, len(said) - n_rows


def _predict(answers: Answers, images: Images) -> Sequence[_Said]:
    """Predict images, one by one if the network fails for one of them."""
    try:
        rows, masks = answers(images)
    except FloatingPointError as error:
        if len(images) == 1:
            return [str(error)]
        parts = (images.subset([index]) for index in range(len(images)))
        return [said for part in parts for said in _predict(answers, part)]
    return list(zip(rows, [None] * len(rows) if masks is None else masks, strict=True))
