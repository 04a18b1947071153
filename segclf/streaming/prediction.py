"""A model predicts files into a folder: read ahead, predicted in blocks, written in chunks."""

from __future__ import annotations

import hashlib
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from segclf.data import StoredImages, read_ahead
from segclf.persistence import load
from segclf.progress import Task, show_progress
from segclf.streaming.answers import Answers
from segclf.streaming.mask_files import ENDINGS, MaskFiles
from segclf.streaming.parts import Part, add_to, columns_of
from segclf.streaming.results import Results
from segclf.streaming.shards import BLOCK, CHUNK, Shard, portions


class Summary(NamedTuple):
    """What a run has done.

    Attributes
    ----------
    n_predicted, n_failed : int
        Images of this run; those that were done before do not count.
    table, errors : Path
        The files.
    """

    n_predicted: int
    n_failed: int
    table: Path
    errors: Path


def predict_files(
    model: str | os.PathLike[str],
    images: StoredImages,
    folder: str | os.PathLike[str],
    *,
    table: str = "results.csv",
    masks: str | None = None,
    n_threads: int = 1,
    resume: bool = False,
    shard: Shard | None = None,
    progress: bool = False,
) -> Summary:
    """Predict any number of images, and write a table, and masks where they are wanted.

    At any time some blocks of images are in memory. What stands in the table for an image does not
    depend on shards, threads, or on where a run was interrupted.

    Parameters
    ----------
    model : path
        A file that `segclf.save` wrote: a classifier, a segmenter, or a search over these.
    images : StoredImages
        Such as `open_images` finds.
    folder : path
        Is made if it is not there.
    table : str
        The name of the table: it ends in ``.csv`` or ``.parquet``. Beside it lies a table of the
        images that could not be read, with their errors.
    masks : {"png", "nifti"}, optional
        Also write masks, into the folder ``masks``, by the number of the image.
    n_threads : int
        How many threads read and decode, while the network computes.
    resume : bool
        Go on with what a run before has finished of the same.
    shard : Shard, optional
        Predict one of several parts of the images alone. Shards may write into one folder.
    progress : bool
        Say on standard error how far it is.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        Where the folder holds results of something else, where the model does not answer what is
        asked for, or where none of the first 1024 images can be predicted.
    """
    if masks not in (None, *ENDINGS):
        raise ValueError(f"masks={masks!r}; expected one of {', '.join(ENDINGS)}, or None.")
    shard, answers = shard or Shard(), Answers(load(model), masks=masks)
    stem, suffix = os.path.splitext(table)
    results = Results(Path(folder), shard.name(stem), suffix, columns_of(answers, masks))
    results.begin(_what(model, images, table, masks, answers), resume=resume)
    rows = shard.rows(len(images))
    chunks = list(portions(rows, CHUNK))
    waiting = [chunk for chunk in chunks if not (results.complete or results.has(chunk))]
    n_left = sum(map(len, waiting))
    files = None if masks is None else MaskFiles(Path(folder), masks, n_threads)
    task = Task("prediction", len(rows), "images", done=len(rows) - n_left)
    if waiting:
        with show_progress(after=0) if progress else nullcontext(), task:
            _write_parts(answers, images, results, waiting, files, n_threads, task)
    results.finish(chunks)
    return Summary(n_left - task.n_failed, task.n_failed, results.table, results.errors)


def _write_parts(
    answers: Answers,
    stored: StoredImages,
    results: Results,
    chunks: list[range],
    files: MaskFiles | None,
    n_threads: int,
    task: Task,
) -> None:
    """Predict chunks, and write each as a part."""
    size = BLOCK if answers.several_at_once else 1
    blocks = [(chunk, block) for chunk in chunks for block in portions(chunk, size)]
    part, images = Part([], []), answers.images(stored)
    for read in read_ahead(images, (block for _, block in blocks), n_threads=n_threads):
        added = add_to(part, read, answers, stored, files)
        task.add(*added)
        chunk, block = blocks[read.block]
        if read.last and block.stop == chunk.stop:
            if chunk == chunks[0] != chunks[-1]:
                part.require_some()
            results.write(chunk, part.rows, part.errors)
            part = Part([], [])


def _what(
    model: str | os.PathLike[str],
    images: StoredImages,
    table: str,
    masks: str | None,
    answers: Answers,
) -> dict[str, Any]:
    """Return what must be equal in a run that goes on."""
    with open(model, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "model": digest,
        "images": [len(images), images.fingerprint()],
        "table": table,
        "masks": masks,
        "columns": [column.name for column in answers.columns],
        "chunk": CHUNK,
    }
