"""The result of a framing report."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segclf.metrics import ConfidenceInterval
from segclf.reports.framing.learning_curves import Curve
from segclf.reports.framing.patches import DivergenceEstimate

Verdict = Literal["masks", "labels", "unclear"]


@dataclass(frozen=True, kw_only=True)
class FramingReport:
    """The result of `framing_report`; ``print`` it to read it.

    Parameters
    ----------
    n_images, n_positive, n_masks : int
        Numbers of images with a label, of positive ones, and of images with a mask.
    n_pixels : int
        Number of labeled pixels, including those of negative images.
    target_sizes : array of shape (n_masks_of_positives,)
        Target-to-image size: the share of each positive image that its mask covers.
    divergence : DivergenceEstimate
        Lower bounds of both sides of S4C's Proposition 1.
    segmentation, classification : Curve
        Learning curves of both framings on the same training images.
    affordable : Curve or None
        Segmentation at the size whose cost equals that of all labels of `classification`; None if
        this does not pay for one mask.
    equal_cost : ConfidenceInterval or None
        AUROC with masks minus AUROC with labels, at equal cost.
    same_images : ConfidenceInterval
        The same difference on equal images, at the largest size.
    level : float
        Level of all intervals.
    """

    n_images: int
    n_positive: int
    n_masks: int
    n_pixels: int
    target_sizes: NDArray[np.float64] = field(repr=False)
    divergence: DivergenceEstimate
    segmentation: Curve = field(repr=False)
    classification: Curve = field(repr=False)
    affordable: Curve | None = field(repr=False)
    equal_cost: ConfidenceInterval | None
    same_images: ConfidenceInterval
    level: float

    @property
    def verdict(self) -> Verdict:
        """At equal cost: "masks", "labels", or "unclear" if the interval contains 0."""
        low, high = (-1.0, 1.0) if self.equal_cost is None else self.equal_cost[1:]
        return "masks" if low > 0 else "labels" if high < 0 else "unclear"

    @property
    def recommendation(self) -> str:
        """The verdict as a sentence, with its uncertainty."""
        advice = {
            "masks": "Label masks.",
            "labels": "Label images, not masks.",
            "unclear": "Not enough data to tell whether masks are worth their cost.",
        }[self.verdict]
        return f"{advice} {self._at_equal_cost()} {self._on_same_images()}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; curves are averaged over the folds."""
        sizes = np.quantile(self.target_sizes, [0, 0.25, 0.5, 0.75, 1])
        sides = {"pixel": self.divergence.pixel, "image": self.divergence.image}
        return {
            "n_images": self.n_images,
            "n_positive": self.n_positive,
            "n_masks": self.n_masks,
            "n_pixels": self.n_pixels,
            "target_size_quartiles": sizes.tolist(),
            "divergence": {name: side._asdict() for name, side in sides.items()}
            | {"scale": self.divergence.scale, "bound": self.divergence.bound._asdict()},
            "segmentation": _means(self.segmentation),
            "classification": _means(self.classification),
            "affordable": None if self.affordable is None else _means(self.affordable),
            "equal_cost": None if self.equal_cost is None else self.equal_cost._asdict(),
            "same_images": self.same_images._asdict(),
            "level": self.level,
            "verdict": self.verdict,
            "recommendation": self.recommendation,
        }

    def __str__(self) -> str:
        """Return the report as lines of text."""
        low, middle, high = np.quantile(self.target_sizes, [0.25, 0.5, 0.75])
        lines = [
            self.recommendation,
            "",
            f"Images: {self.n_images}, of which {self.n_positive} positive "
            f"({self.n_positive / self.n_images:.0%}); {self.n_masks} masks, "
            f"{self.n_pixels} labeled pixels.",
            f"Target-to-image size: median {middle:.2%}, quartiles {low:.2%} and {high:.2%}.",
            "Divergence in nats, lower bounds (Proposition 1: left >= right): pixels "
            f"{_interval(self.divergence.pixel)}; images x {self.divergence.scale:.3g} "
            f"{_interval(self.divergence.bound)}.",
            "",
            "  images   masks   steps      cost   AUROC   trained on",
        ]
        return "\n".join([*lines, *self._table()])

    def _table(self) -> list[str]:
        named = {
            "labels": self.classification,
            "masks": self.segmentation,
            "masks, for the cost of all labels": self.affordable,
        }
        return [
            f"{images:>8.0f}{masks:>8.0f}{_steps(steps):>8}{cost:>10.4g}{score:>8.3f}   {name}"
            for name, curve in named.items()
            if curve is not None
            for images, masks, steps, cost, score in zip(*_means(curve).values(), strict=True)
        ]

    def _at_equal_cost(self) -> str:
        n_labels = self.classification.n_images[-1].mean()
        if self.affordable is None or self.equal_cost is None:
            return f"The cost of {n_labels:.0f} labels does not pay for enough masks to train on."
        return (
            f"For the cost of {n_labels:.0f} labels, {self.affordable.n_images.mean():.0f} "
            f"images with masks change the AUROC by {_interval(self.equal_cost, '+')} "
            f"({self.level:.0%} interval)."
        )

    def _on_same_images(self) -> str:
        factor = self.segmentation.cost[-1].mean() / self.classification.cost[-1].mean()
        return (
            f"On the same {self.classification.n_images[-1].mean():.0f} images, at {factor:.3g} "
            f"times the cost, masks change it by {_interval(self.same_images, '+')}."
        )


def _means(curve: Curve) -> dict[str, list[float]]:
    """Average each size over the folds."""
    columns = ("n_images", "n_masks", "n_steps", "cost", "auroc")
    return {name: getattr(curve, name).mean(axis=1).tolist() for name in columns}


def _steps(n_steps: float) -> str:
    return f"{n_steps:.0f}" if n_steps else "–"


def _interval(interval: ConfidenceInterval, sign: str = "") -> str:
    estimate, low, high = (f"{value:{sign}.2f}" for value in interval)
    return f"{estimate} ({low} to {high})"
