"""Learning curves of two framings of one task, over the cost of their labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing

from segclf.axes import is_indicator
from segclf.base.split import Fold
from segclf.isolation.cached import cached_property
from segclf.metrics import ConfidenceInterval, confidence_interval
from segclf.metrics.mean_auroc import mean_auroc
from segclf.progress import counted
from segclf.reports.framing.equal_steps import with_steps
from segclf.reports.framing.findings import Findings


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores of one framing for growing numbers of labeled images, by fold.

    Parameters
    ----------
    n_images, n_masks : array of shape (n_sizes, n_folds)
        Numbers of training images with a label, and of those that also had a mask.
    n_steps : array of shape (n_sizes, n_folds)
        Training steps of the networks; 0 if the estimator decides it.
    cost : array of shape (n_sizes, n_folds)
        Cost of these labels and masks.
    auroc : array of shape (n_sizes, n_folds)
        AUROC on the test fold.
    probabilities : array of shape (n_sizes, n, k)
        Out-of-fold probabilities of each image and class.
    """

    n_images: NDArray[np.int64]
    n_masks: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    cost: NDArray[np.float64]
    auroc: NDArray[np.float64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Contest:
    """Two framings compared in the same folds, on the same growing training sets.

    Parameters
    ----------
    findings : Findings
        All n images, with their labels and masks.
    folds : list of (train, test)
        Indices of images.
    cost_per_mask, cost_per_label : float
        Cost of the mask of a positive image, and of the label of any image.
    seed : int
        Seed of the order in which training images are labeled.
    """

    findings: Findings
    folds: list[Fold]
    cost_per_mask: float
    cost_per_label: float
    seed: int

    def __post_init__(self) -> None:
        if not (self.cost_per_mask >= 0 and self.cost_per_label > 0):
            raise ValueError(
                "Expected cost_per_mask >= 0 and cost_per_label > 0, got "
                f"{self.cost_per_mask} and {self.cost_per_label}."
            )

    @cached_property
    def orders(self) -> list[NDArray[np.intp]]:
        """The training images of each fold that either framing can use, in labeling order."""
        usable = [train[self.findings.framed[train]] for train, _ in self.folds]
        strata = self.findings.supervision.strata
        return [rows[nested_order(strata[rows], self.seed)] for rows in usable]

    def sizes(self, train_sizes: ArrayLike) -> NDArray[np.int64]:
        """Convert numbers of images, or shares of all, to numbers (n_sizes, n_folds)."""
        asked = np.asarray(train_sizes)[:, None]
        lengths = np.array([len(order) for order in self.orders])
        sizes = np.rint(asked * lengths) if asked.dtype.kind == "f" else asked + 0 * lengths
        if (
            (sizes < self._fewest).any()
            or (sizes > lengths).any()
            or (np.diff(sizes, axis=0) < 0).any()
        ):
            raise ValueError(
                f"train_sizes={train_sizes!r}; expected increasing numbers from {self._fewest} "
                f"to {lengths.min()} images, or shares of them as floats up to 1.0."
            )
        return sizes.astype(np.int64)

    def affordable(self, n_labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return how many images (1, n_folds) can get masks for the cost of the given labels."""
        budgets = self.cost_per_label * n_labels
        costs = [self._costs(order, masks=True) for order in self.orders]
        sizes = [np.searchsorted(c, b, "right") for c, b in zip(costs, budgets, strict=True)]
        return np.array([sizes]) if min(sizes) >= self._fewest else None

    def curve(
        self, estimator: Any, sizes: NDArray[np.int64], steps: NDArray[np.int64], *, masks: bool
    ) -> Curve:
        """Train for given sizes and steps (n_sizes, n_folds), with or without masks, and test."""
        probabilities = np.full((len(sizes), *self._truth.shape), np.nan)
        score, cost = np.zeros(sizes.shape), np.zeros(sizes.shape)
        n_masks, n_steps = np.zeros_like(sizes), np.zeros_like(sizes)
        name = "learning curve of " + ("masks" if masks else "labels")
        places = list(np.ndindex(*sizes.shape))
        for row, fold in counted(places, name, total=sizes.size, unit="trainings"):
            train, test = self.orders[fold][: sizes[row, fold]], self.folds[fold][1]
            unfitted, n_steps[row, fold] = with_steps(estimator, int(steps[row, fold]))
            fitted = self._fit(unfitted, train, masks=masks)
            answers = fitted.predict_proba(_safe_indexing(self.findings.supervision.X, test))
            answers = answers if self.findings.order is None else answers[:, self.findings.order]
            probabilities[row, test] = answers
            score[row, fold] = mean_auroc(self._truth[test], answers)
            cost[row, fold] = self._costs(train, masks=masks)[-1]
            n_masks[row, fold] = masks * self.findings.positive[train].sum()
        counts = {"n_images": sizes, "n_masks": n_masks, "n_steps": n_steps}
        return Curve(**counts, cost=cost, auroc=score, probabilities=probabilities)

    def gain(self, first: Curve, second: Curve, **bootstrap: Any) -> ConfidenceInterval:
        """Bootstrap the difference of the mean AUROCs of two curves at their last sizes."""
        fold_of = np.empty(len(self._truth))
        for fold, (_, test) in enumerate(self.folds):
            fold_of[test] = fold
        answers = np.stack([first.probabilities[-1], second.probabilities[-1]], axis=1)
        folded = np.concatenate(
            [np.broadcast_to(fold_of[:, None, None], (len(fold_of), 2, 1)), answers], axis=2
        )
        return confidence_interval(
            _mean_gain, self._truth, folded, groups=self.findings.units, **bootstrap
        )

    @property
    def _fewest(self) -> int:
        """The smallest size: one image of each class, with which every order begins."""
        return len(np.unique(self.findings.supervision.strata))

    @property
    def _truth(self) -> NDArray[np.int64]:
        """Labels of either form as an indicator (n, k)."""
        labels = self.findings.labels
        return labels if is_indicator(labels) else np.eye(labels.max() + 1, dtype=np.int64)[labels]

    def _costs(self, order: NDArray[np.intp], *, masks: bool) -> NDArray[np.float64]:
        """Return the cost of the first 1, 2, ... images of an order."""
        n_masks = masks * np.cumsum(self.findings.positive[order])
        return self.cost_per_label * np.arange(1, len(order) + 1) + self.cost_per_mask * n_masks

    def _fit(self, estimator: Any, train: NDArray[np.intp], *, masks: bool) -> Any:
        part = self.findings.supervision.subset(train)
        return (part if masks else part.with_masks(None)).fit(estimator)


def nested_order(strata: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Shuffle, starting with one image of each stratum; every prefix is about proportional."""
    shuffled = np.random.RandomState(seed).permutation(len(strata))
    share = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata[shuffled] == stratum)
        share[members] = np.arange(len(members)) / len(members)
    return shuffled[np.argsort(share, kind="stable")]


def _mean_gain(truth: NDArray[np.int64], folded: NDArray[np.float64]) -> float:
    """Return the mean difference of AUROC over folds, given in the first of the 1 + k columns."""
    folds, answers = folded[:, 0, 0], folded[:, :, 1:]
    members = [folds == fold for fold in np.unique(folds)]
    gains = [
        mean_auroc(truth[m], answers[m, 0]) - mean_auroc(truth[m], answers[m, 1]) for m in members
    ]
    return float(np.mean([gain for gain in gains if not np.isnan(gain)] or [np.nan]))
