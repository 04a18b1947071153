"""One HTML file that shows what a classifier gets right, what it gets wrong, and where it looks."""

import datetime
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data import ImagesLike, LabelsLike, MasksLike, as_images
from segclf.displays.predictions import as_names
from segclf.reports.page.answers import Answers, ask
from segclf.reports.page.cards import Card, card
from segclf.reports.page.numbers import count_up
from segclf.reports.page.template import Header, write_page
from segclf.reports.page.thumbnails import thumbnail

BYTES_PER_PICTURE = 22_000  # 40,000 a card: a third more as base64, outlines, and text


def report(
    estimator: Any,
    X: ImagesLike,
    y: LabelsLike,
    masks: MasksLike | None = None,
    path: Any = "report.html",
    *,
    groups: ArrayLike | None = None,
    class_names: Any = None,
    title: str | None = None,
    description: str = "",
    date: datetime.date | None = None,
    n_images: int = 500,
    picture_size: int = 320,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> pathlib.Path:
    """Write a report of a classifier as one HTML file that needs no network.

    Scores with 95 % bootstrap intervals, recall by size and by place of the target, and a gallery
    of the images, errors first and of these the surest first, with predicted and true masks as
    outlines to toggle, filters, and keys to walk through. Images are read in batches, and a file
    of 500 is at most 20 MB.

    Parameters
    ----------
    estimator : fitted classifier
        With ``predict_proba``, and ``predict_masks`` if it has masks to show.
    X : array, list, paths or tensor
        The n images. Of paths the names of the files are shown.
    y : array of shape (n,) or (n, k)
        True labels, -1 where nobody said; or a multi-label indicator.
    masks : array (n, h, w) or (n, k, h, w), list or None
        True masks, None where there is none.
    path : path
        Where to write; a file that is there is replaced.
    groups : array of shape (n,), optional
        Group of each image, such as its patient: the bootstrap samples whole groups.
    class_names : sequence or dict, optional
        What to call the classes: in the order of ``classes_``, or by class.
    title, description : str
        What to write above; the title is the class of the estimator by default.
    date : datetime.date, optional
        The date of the report; today by default.
    n_images : int
        How many images the gallery shows at most, the worst first. The numbers are of all.
    picture_size : int
        Longest side of the pictures in pixels, at most.
    n_resamples : int
        Resamples of the bootstrap.
    random_state : int, RandomState or None
        Seed of the bootstrap.

    Returns
    -------
    pathlib.Path
        Where the report is.

    Raises
    ------
    ValueError
        When the estimator is no fitted classifier, or labels, masks or groups do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from segclf import SegmentationClassifier, SupervisedSegmenter, report
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> X, y, masks = shapes.images, shapes.target, shapes.masks
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    >>> classifier = classifier.fit(X, y, masks=masks)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = report(classifier, X, y, masks, f"{folder}/report.html", n_resamples=10)
    ...     path.read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    answers = ask(estimator, X, y, masks)
    units = _checked_groups(groups, len(answers.truth))
    numbers = count_up(answers, groups=units, n_resamples=n_resamples, random_state=random_state)
    header = Header(
        title=title or type(estimator).__name__,
        description=description,
        model=repr(estimator),
        date=date or datetime.date.today(),
        n_groups=None if groups is None else len(np.unique(groups)),
    )
    labels = _labels(estimator.classes_, class_names)
    cards = _cards(X, answers, n_images, labels, picture_size)
    return write_page(pathlib.Path(path), header, answers, numbers, labels, cards, n_images)


def _labels(classes: NDArray[Any], class_names: Any) -> list[str]:
    """Return what each class is called."""
    names = as_names(class_names, classes)
    return [str(names.get(label, label)) for label in classes.tolist()]


def _checked_groups(groups: Any, n_samples: int) -> Any:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(f"groups has shape {groups.shape}; expected ({n_samples},).")
    return groups


def _cards(
    X: Any, answers: Answers, n_images: int, labels: list[str], picture_size: int
) -> Iterator[str]:
    """Write card after card, so that one image at a time is in memory."""
    images, kinds, sure = as_images(X), answers.kinds, answers.sure
    for index in answers.order[:n_images].tolist():
        image = images[index]
        yield card(
            Card(
                name=_name(X, index),
                picture=thumbnail(image, longest_side=picture_size, n_bytes=BYTES_PER_PICTURE),
                size=image.shape[:2],
                kind=str(kinds[index]),
                sure=float(sure[index]),
                said=answers.said[index],
                truth=answers.truth[index],
                probabilities=answers.probabilities[index],
                masks=answers.masks[index],
            ),
            labels,
        )


def _name(X: Any, index: int) -> str:
    """Name a file, number anything else."""
    item = X[index : index + 1]
    first = next(iter(item))
    if isinstance(first, str | os.PathLike):
        return pathlib.Path(first).name
    return f"image {index}"
