"""One HTML file that shows what a classifier gets right, what it gets wrong, and where it looks."""

import datetime
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.base.spatial import channels_of, n_spatial
from segclf.data import Images, ImagesLike, LabelsLike, MasksLike, as_images
from segclf.displays.predictions import as_names
from segclf.reports.known_spacings import known_spacings
from segclf.reports.page.answers import Answers, ask, fitted_classifier
from segclf.reports.page.budget import Budget, budget_for
from segclf.reports.page.cards import Card, card
from segclf.reports.page.numbers import count_up
from segclf.reports.page.template import Header, write_page
from segclf.reports.page.thumbnails import montage_thumbnail, thumbnail


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
    n_slices: int | None = None,
    picture_size: int = 320,
    spacing: ArrayLike | None = None,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> pathlib.Path:
    """Write a report of a classifier as one HTML file that needs no network.

    Scores with 95 % bootstrap intervals, recall by size and by place of the target, and a gallery
    of the images, errors first and of these the surest first, with predicted and true masks as
    outlines to toggle, filters, and keys to walk through. Images are read in batches, and a file
    of 500 is at most 20 MB.

    Of volumes the slice with the largest finding is shown, and a slider goes through others;
    without JavaScript, or at a key, they lie side by side. One volume at a time is in memory.

    Parameters
    ----------
    estimator : fitted classifier
        With ``predict_proba``, and ``predict_masks`` if it has masks to show.
    X : array, list, paths or tensor
        The n images, or volumes. Of paths the names of the files are shown.
    y : array of shape (n,) or (n, k)
        True labels, -1 where unlabeled; or a multi-label indicator.
    masks : array (n, h, w) or (n, k, h, w), list or None
        True masks, None where there is none; of volumes with d before h.
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
    n_slices : int, optional
        How many slices of each volume there are, at most: a half of them show a finding, as far as
        there are such, the others are spread evenly. By default from 12, of 500 volumes, to 24, of
        50 or fewer.
    picture_size : int
        Longest side of the pictures in pixels, at most; of volumes that of a slice.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Millimeters of a pixel along each spatial axis, of all or of each: sizes of findings and
        distances between surfaces are then in mm. Of volumes in files the headers say it by
        default.
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
    classifier = fitted_classifier(estimator)
    images = as_images(X, n_spatial=n_spatial(classifier), channels=channels_of(classifier))
    budget = budget_for(min(n_images, len(images)), images.n_spatial, n_slices)
    spacing = known_spacings(images, spacing)
    answers = ask(classifier, images, X, y, masks, budget=budget, spacing=spacing)
    units = _checked_groups(groups, len(answers.truth))
    numbers = count_up(answers, groups=units, n_resamples=n_resamples, random_state=random_state)
    header = _header(estimator, title, description, date, units)
    labels = _labels(classifier.classes_, class_names)
    cards = _cards(images, X, answers, labels, n_images, picture_size, budget)
    return write_page(pathlib.Path(path), header, answers, numbers, labels, cards, n_images)


def _labels(classes: NDArray[Any], class_names: Any) -> list[str]:
    """Return what each class is called."""
    names = as_names(class_names, classes)
    return [str(names.get(label, label)) for label in classes.tolist()]


def _header(
    estimator: Any, title: str | None, description: str, date: datetime.date | None, groups: Any
) -> Header:
    return Header(
        title=title or type(estimator).__name__,
        description=description,
        model=repr(estimator),
        date=date or datetime.date.today(),
        n_groups=None if groups is None else len(np.unique(groups)),
    )


def _checked_groups(groups: Any, n_samples: int) -> Any:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(f"groups has shape {groups.shape}; expected ({n_samples},).")
    return groups


def _cards(
    images: Images,
    X: Any,
    answers: Answers,
    labels: list[str],
    n_images: int,
    picture_size: int,
    budget: Budget,
) -> Iterator[str]:
    """Write card after card, so that one image at a time is in memory."""
    kinds, sure = answers.kinds, answers.sure
    for index in answers.order[:n_images].tolist():
        picture, size = _picture(images, index, answers, picture_size, budget)
        yield card(
            Card(
                name=_name(X, index, answers.n_spatial),
                picture=picture,
                size=size,
                kind=str(kinds[index]),
                sure=float(sure[index]),
                said=answers.said[index],
                truth=answers.truth[index],
                probabilities=answers.probabilities[index],
                masks=answers.masks[index],
            ),
            labels,
            budget,
        )


def _picture(
    images: Images, index: int, answers: Answers, longest_side: int, budget: Budget
) -> tuple[str, tuple[int, int]]:
    """Return a picture, and the size of what it shows."""
    how: dict[str, int] = {"longest_side": longest_side, "n_bytes": budget.n_bytes}
    montage = answers.masks[index].montage
    if montage is None:
        image = images[index]
        return thumbnail(image, **how), image.shape[:2]
    numbers = montage.numbers
    slices = images.slices(np.full(len(numbers), index), numbers).take(np.arange(len(numbers)))
    _, height, width = images.sizes()[index].tolist()
    size = montage.n_rows * height, montage.n_columns * width
    return montage_thumbnail(np.asarray(slices), montage, **how), size


def _name(X: Any, index: int, n_spatial: int) -> str:
    """Name a file, number anything else."""
    item = X[index : index + 1]
    first = next(iter(item))
    if isinstance(first, str | os.PathLike):
        return pathlib.Path(first).name
    return f"{'image' if n_spatial == N_SPATIAL else 'volume'} {index}"
