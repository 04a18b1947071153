"""Predict files into a folder: read ahead, predicted in blocks, written in chunks."""

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
    """The result of a run.

    Attributes
    ----------
    n_predicted, n_failed : int
        Images of this run, without those that were done before.
    table, errors : Path
        Paths of the two tables.
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
    """Predict any number of images, and write a table and, if requested, masks.

    Only a few blocks of images are in memory at a time. The table's row for an image does not
    depend on shards, threads, or interruptions of the run.

    Parameters
    ----------
    model : path
        A file that `segclf.save` wrote: a classifier, a segmenter, or a search over these.
    images : StoredImages
        The images, for example from `open_images`.
    folder : path
        Folder of the results; created if it does not exist.
    table : str
        The name of the table, which ends in ``.csv`` or ``.parquet``. A second table beside it
        lists the images that could not be read, with their errors.
    masks : {"png", "nifti"}, optional
        Also write masks, into the folder ``masks``, named by the number of the image.
    n_threads : int
        Number of threads that read and decode while the network computes.
    resume : bool
        Continue an earlier run of the same prediction.
    shard : Shard, optional
        Predict only one of several parts of the images. Shards may write into one folder.
    progress : bool
        Show the progress on standard error.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        If the folder holds results of another prediction, the model cannot predict what is
        requested, or none of the first 1024 images can be predicted.

    Examples
    --------
    >>> from pathlib import Path
    >>> import segclf
    >>> from PIL import Image
    >>> from segclf.datasets import make_shapes
    >>> from segclf.streaming import open_images, predict_files
    >>> shapes = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
    >>> classifier = segclf.ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> segclf.save(classifier.fit(shapes.images, [0, 1, 0, 1]), "model.safetensors")
    >>> Path("scans").mkdir()
    >>> for number, image in enumerate(shapes.images):
    ...     Image.fromarray(image).save(f"scans/{number}.png")
    >>> predict_files("model.safetensors", open_images("scans"), "predicted").n_predicted
    4
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
    """Return what must be the same in a run that continues another."""
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
