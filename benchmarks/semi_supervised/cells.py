"""One data set with a share of its masks: the images and masks of a seed, and shared models."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.semi_supervised.settings import ENSEMBLE_SEEDS
from benchmarks.shared.real_sets import findings
from segclf import ImageClassifier, SupervisedSegmenter
from segclf.base import SegmenterEnsemble


@dataclass(frozen=True, eq=False)
class Cell:
    """Training images with all labels and few masks.

    Parameters
    ----------
    images, labels : array (n, h, w, c), array (n,)
        Labels are of presence, 1 for any finding.
    masks : list of n arrays (h, w) or None
        All masks.
    fraction : float or None
        Share of the masks that is given; None means all.
    setting : dict
        One of `SETTINGS`, with the number of steps.
    seed : int
        Seed of everything.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: list[np.ndarray | None]
    fraction: float | None
    setting: dict[str, Any]
    seed: int

    @functools.cached_property
    def there(self) -> np.ndarray:
        """Return which images have a mask; (n,) bool."""
        return np.array([mask is not None for mask in self.masks])

    @functools.cached_property
    def given(self) -> np.ndarray:
        """Draw the images whose mask is given: a fraction of each label, two at least; (n,) bool.

        With one seed, those of a smaller fraction are among those of a larger one.
        """
        if self.fraction is None:
            return self.there
        given = np.zeros(len(self.labels), dtype=bool)
        order = np.random.default_rng(self.seed).permutation(np.flatnonzero(self.there))
        for label in (0, 1):
            members = order[self.labels[order] == label]
            given[members[: max(2, round(self.fraction * len(members)))]] = True
        return given

    @property
    def few(self) -> list[np.ndarray | None]:
        """The given masks, None for others."""
        return [m if g else None for m, g in zip(self.masks, self.given, strict=True)]

    def masks_of(self, chosen: np.ndarray) -> list[np.ndarray | None]:
        return [self.masks[row] for row in np.flatnonzero(chosen)]

    def with_fraction(self, fraction: float | None) -> "Cell":
        return replace(self, fraction=None if fraction is None or fraction >= 1 else fraction)

    def segmenter(self, **changes: Any) -> SupervisedSegmenter:
        return SupervisedSegmenter(**self.default | changes)

    def image_classifier(self) -> ImageClassifier:
        return ImageClassifier(**self.default)

    def frozen(self, **changes: Any) -> dict[str, Any]:
        """Return the parameters of the same training for methods that have no "auto"."""
        return self.setting["frozen"] | {"batch_size": 8} | self.of_training | changes

    @property
    def default(self) -> dict[str, Any]:
        """Return the parameters of methods whose others are "auto"."""
        return self.setting["parameters"] | self.of_training

    @property
    def of_training(self) -> dict[str, Any]:
        return {"max_steps": self.setting["steps"], "random_state": self.seed}

    def alone(self, **changes: Any) -> SupervisedSegmenter:
        """Fit on the given masks alone."""
        segmenter = self.segmenter(**changes)
        return segmenter.fit(self.images[self.given], self.masks_of(self.given))

    @functools.cached_property
    def teacher(self) -> SupervisedSegmenter:
        """A segmenter trained on masks alone."""
        return self.alone()

    @functools.cached_property
    def ensemble(self) -> SegmenterEnsemble:
        """An ensemble of such segmenters with other seeds, by the mean of their probabilities."""
        seeds = (self.seed + more for more in ENSEMBLE_SEEDS)
        return SegmenterEnsemble.of([self.alone(random_state=seed) for seed in seeds])

    @functools.cached_property
    def classifier(self) -> ImageClassifier:
        """A classifier trained on all labels."""
        return self.image_classifier().fit(self.images, self.labels)


def make_cell(
    data: dict[str, Any], fraction: float | None, setting: dict[str, Any], seed: int
) -> Cell:
    """Draw training images as the split has them by label; those with a mask come first."""
    train = np.flatnonzero(data["split"] == "train")
    order = np.random.default_rng(seed).permutation(train)
    maskless = np.array([data["masks"][row] is None for row in order])
    share = min(1.0, setting["images"] / len(train))
    chosen = []
    for label in (0, 1):
        members = np.flatnonzero(data["labels"][order] == label)
        first = members[np.argsort(maskless[members], kind="stable")]
        chosen.append(order[first[: max(1, round(share * len(members)))]])
    rows = np.sort(np.concatenate(chosen))
    return Cell(
        data["images"][rows],
        data["labels"][rows],
        findings(data, rows),
        fraction,
        setting,
        seed,
    )
