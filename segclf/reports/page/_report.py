"""Write one HTML file that shows the scores of a classifier, its errors and its masks."""

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
from segclf.progress import counted
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

    It shows scores with 95 % bootstrap intervals, recall by size and place of the target, and a
    gallery of images. The gallery starts with the most confident errors and shows predicted and
    true masks as outlines that can be toggled. It has filters and keyboard navigation. Images are
    read in batches, and a file with 500 images is at most 20 MB.

    For volumes the slice with the largest finding is shown, with a slider for other slices;
    without JavaScript, or on a key press, slices are shown side by side. One volume is in memory
    at a time.

    Parameters
    ----------
    estimator : fitted classifier
        With ``predict_proba``, and with ``predict_masks`` if it predicts masks.
    X : array, list, paths or tensor
        The n images or volumes. For paths, file names are shown.
    y : array of shape (n,) or (n, k)
        True labels, -1 where unlabeled; or a multi-label indicator.
    masks : array (n, h, w) or (n, k, h, w), list or None
        True masks, None for an image without one; for volumes with d before h.
    path : path
        Where to write the file; an existing file is replaced.
    groups : array of shape (n,), optional
        Group of each image, such as its patient. The bootstrap resamples whole groups.
    class_names : sequence or dict, optional
        Names of the classes, in the order of ``classes_`` or by class.
    title, description : str
        Heading and text at the top; the default title is the class name of the estimator.
    date : datetime.date, optional
        The date of the report; today by default.
    n_images : int
        Largest number of images in the gallery, the worst first. Scores cover all images.
    n_slices : int, optional
        Largest number of slices of each volume. Up to half of them show a finding; the others are
        spread evenly. The default is between 12 (for 500 volumes) and 24 (for 50 or fewer).
    picture_size : int
        Largest side of the pictures in pixels; for volumes, of one slice.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis in millimeters, for all images or for each. Sizes of
        findings and distances between surfaces are then in mm. For volumes in files the headers
        give the default.
    n_resamples : int
        Resamples of the bootstrap.
    random_state : int, RandomState or None
        Seed of the bootstrap.

    Returns
    -------
    pathlib.Path
        The path of the report.

    Raises
    ------
    ValueError
        If the estimator is not a fitted classifier, or labels, masks or groups do not fit.

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
    """Return the names of the classes."""
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
    """Yield the cards one by one, with one image in memory at a time."""
    kinds, sure = answers.kinds, answers.sure
    shown = answers.order[:n_images].tolist()
    for index in counted(shown, "gallery", total=len(shown), unit="pictures"):
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
    """Return a picture, and the size of the image or slices that it shows."""
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
    """Return the name of a file, or a number for other images."""
    item = X[index : index + 1]
    first = next(iter(item))
    if isinstance(first, str | os.PathLike):
        return pathlib.Path(first).name
    return f"{'image' if n_spatial == N_SPATIAL else 'volume'} {index}"
