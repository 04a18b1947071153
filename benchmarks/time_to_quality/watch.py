"""Scores of a network over training time; the time for testing does not count."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from benchmarks.shared.intervals import aurocs
from benchmarks.shared.real_sets import findings

# Of images (RGB, of any size): a score for each, and its map of probabilities, of any size.
Predict = Callable[[Sequence[np.ndarray]], tuple[np.ndarray, Sequence[np.ndarray]]]
HIGHEST = 0.002  # of the pixels: what a label's score is the mean of


class Watch:
    """A stopwatch of processor time that stands still while it tests.

    Parameters
    ----------
    data : dict
        As `load_rgb` reads it.
    test : int array
        The test images.
    goals : dict
        The "AUROC" and "IoU" to reach; training stops if both are met.
    budget : float
        Seconds after which training stops in any case.
    """

    def __init__(
        self, data: dict[str, Any], test: np.ndarray, goals: dict[str, float], budget: float
    ) -> None:
        self.images, self.labels = [data["images"][i] for i in test], data["labels"][test]
        self.masks = findings(data, test)
        self.goals, self.budget = goals, budget
        self.curve: list[dict[str, float]] = []
        self._started, self._paused = time.process_time(), 0.0

    def seconds(self) -> float:
        return time.process_time() - self._started - self._paused

    def __call__(self, predict: Predict) -> bool:
        """Test if the time has grown by a quarter since the last test; return whether to stop."""
        seconds = self.seconds()
        last = self.curve[-1]["seconds"] if self.curve else 2.0
        if not self.enough and seconds >= min(1.25 * last, last + 60, self.budget):
            self.look(predict)
        return self.enough

    def look(self, predict: Predict) -> None:
        """Test now."""
        seconds, paused = self.seconds(), time.process_time()
        self.curve.append({"seconds": seconds, **self.test(predict)})
        self._paused += time.process_time() - paused

    @property
    def enough(self) -> bool:
        """Whether a test met each goal, or was at the end of the budget."""
        best = {what: max((p[what] for p in self.curve), default=0.0) for what in self.goals}
        met = bool(self.goals) and all(best[what] >= goal for what, goal in self.goals.items())
        return met or any(point["seconds"] >= self.budget for point in self.curve)

    def test(self, predict: Predict) -> dict[str, float]:
        """Return AUROC, and IoU of all pixels together at the images' own size."""
        scores, maps = predict(self.images)
        both = either = 0
        for probabilities, mask in zip(maps, self.masks, strict=True):
            if mask is not None:
                size = mask.shape[1], mask.shape[0]
                found = cv2.resize(np.asarray(probabilities, dtype=np.float32), size) > 0.5
                both += int((found & (mask > 0)).sum())
                either += int((found | (mask > 0)).sum())
        return {"AUROC": float(aurocs(self.labels, scores)), "IoU": both / max(1, either)}


def highest(maps: np.ndarray) -> np.ndarray:
    """Return the mean of the highest pixels of maps (n, h, w)."""
    pixels = maps.reshape(len(maps), -1)
    n = max(1, round(HIGHEST * pixels.shape[1]))
    return np.asarray(np.partition(pixels, -n, axis=1)[:, -n:].mean(axis=1))
