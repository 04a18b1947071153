"""Checked images with labels and masks, and the facts that a proposal needs."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.base import supervise
from segclf.base.classifier import Labels, check_labels
from segclf.base.conflicts import learn_negative_class
from segclf.base.facts import Facts
from segclf.base.split import Fold
from segclf.base.supervision import Supervision
from segclf.data import as_images, as_masks
from segclf.isolation.cached import cached_property


@dataclass(frozen=True)
class LabeledImages:
    """Checked images with their labels and masks.

    Parameters
    ----------
    supervision : Supervision
        The opened images, without masks if none shows a finding.
    labels : Labels
        Labels of the same images.
    negative_class : label or None
        The class without a finding.
    """

    supervision: Supervision
    labels: Labels
    negative_class: Any

    @cached_property
    def facts(self) -> Facts:
        """The facts that the rules of "auto" use."""
        return Facts(self.supervision)

    @property
    def shows_findings(self) -> bool:
        """Whether any mask shows a finding, so that a segmenter can be trained."""
        return self.facts.finding is not None

    @property
    def n_channels(self) -> int:
        """Number of image channels."""
        assert self.supervision.images is not None
        return self.supervision.images.n_channels

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Labels as an indicator (n, k); -1 where unlabeled."""
        encoded = self.labels.encoded
        if self.labels.multilabel:
            return encoded
        each = np.equal(encoded[:, None], np.arange(len(self.labels.classes))).astype(np.int64)
        return np.where(encoded[:, None] < 0, -1, each)

    def folds(self, cv: Any, seed: int) -> list[Fold]:
        """Split the images into folds for cross-validation.

        Parameters
        ----------
        cv : int or splitter
            A number is the largest number of folds: with a class of two images there are two.
        seed : int
            Seed of the shuffle.

        Raises
        ------
        ValueError
            If a class occurs in fewer than two images or groups.
        """
        counts = self._counts
        if isinstance(cv, Integral):
            cv = min(int(cv), int(counts[counts > 1].min()))
        labeled = np.asarray((self.truth >= 0).any(axis=1))
        folds = self.supervision.folds(cv, seed=seed, tested=labeled)
        usable = [(train, test) for train, test in folds if self._teaches(train)]
        if not usable:
            raise ValueError(
                f"No training set of the {len(folds)} folds has every class; expected classes "
                "spread over more groups, or another cv."
            )
        return usable

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """Number of images or groups with each class; for an indicator, or without it if fewer."""
        groups, several = self.supervision.groups, self.labels.multilabel
        units = np.arange(len(self.truth)) if groups is None else groups
        values = (0, 1) if several else (1,)
        counts = np.array(
            [min(len(np.unique(units[column == v])) for v in values) for column in self.truth.T]
        )
        if not ((counts > 1).any() if several else (counts > 1).all()):
            rarest = int(counts.argmin())
            name = self.labels.classes.tolist()[rarest]
            what = "image" if groups is None else "group"
            raise ValueError(
                f"Only {counts[rarest]} {what} shows{', or does not show,' * several} class "
                f"{name!r}; expected two or more, to learn from one and test on the other."
            )
        return counts

    def _teaches(self, rows: NDArray[np.intp]) -> bool:
        shown = (self.truth[rows] == 1).any(axis=0)
        return bool(shown[self._counts > 1].all())


def check_labeled_images(
    X: Any, y: Any, masks: Any, groups: ArrayLike | None, negative_class: Any
) -> LabeledImages:
    """Open and check images, labels, masks and groups; see `propose`."""
    images = as_images(X)
    labels = check_labels(y, len(images))
    masks = as_masks(masks, len(images))
    negative = learn_negative_class(labels, masks, negative_class)
    said: dict[str, Any] = {"images": images, "y": y, "target": labels.encoded, "groups": groups}
    ids = labels.mask_ids(negative)
    found = LabeledImages(supervise(X, masks=masks, labels=ids, **said), labels, negative)
    return found if found.shows_findings else LabeledImages(supervise(X, **said), labels, negative)
