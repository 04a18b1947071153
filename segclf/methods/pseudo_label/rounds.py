"""A round of pseudo-labels: clones are fitted and predict, and the outcome is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from segclf.base import Supervision
from segclf.base.parts import as_a_part
from segclf.methods.pseudo_label.mixing import Mixing, balance_of
from segclf.methods.pseudo_label.pseudo_masks import (
    Mask,
    Selection,
    blamed,
    heed_label,
    predict_masks,
)


class Outcome(NamedTuple):
    """The result of rounds so far.

    Attributes
    ----------
    masks : list of n arrays or None
        As used in the last round; None for images that were not used.
    labeled_iter : array of int, shape (n,)
        0 for an expert's mask or an empty mask by label, else the round in which a mask was first
        predicted, -1 for no mask.
    estimator : segmenter or None
        That of the last round, fitted.
    baseline : segmenter or None
        Fitted without pseudo masks, if it was the first labeler's teacher.
    labeler : pseudo-labeler or None
        That of the last round, fitted; None if there was nothing to predict.
    n_iter : int
        Number of rounds.
    condition : {"max_iter", "no_change", "all_labeled"} or None
        Why rounds ended; None if there is another round.
    """

    masks: list[Mask | None]
    labeled_iter: NDArray[np.int64]
    estimator: Any = None
    baseline: Any = None
    labeler: Any = None
    n_iter: int = 0
    condition: str | None = None

    def same(self, masks: list[Mask | None]) -> bool:
        """Tell whether the last round, if any, had the same masks."""
        return self.n_iter > 0 and all(
            one is other or (one is not None and other is not None and np.array_equal(one, other))
            for one, other in zip(masks, self.masks, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Runs rounds on images, of which those in `unlabeled` have no expert's mask.

    Parameters
    ----------
    estimator, labeler : segmenter, pseudo-labeler
        Unfitted and seeded; each round fits clones.
    unlabeled : array of int
        Indices of the images to predict masks for.
    mixing : Mixing
        How often images with an expert's mask are sampled.
    max_iter : int
        Number of rounds, at most.
    selection : Selection
        Decides which predicted pixels are trusted.
    owner : estimator
        The estimator whose callbacks all fitted parts use.
    context : CallbackContext
        Callback context of its fit.
    """

    estimator: Any
    labeler: Any
    unlabeled: NDArray[np.intp]
    mixing: Mixing
    max_iter: int
    selection: Selection
    owner: Any
    context: CallbackContext

    def start(self, supervision: Supervision) -> Outcome:
        """Return the outcome before the first round, with the baseline if it is the teacher."""
        expert = supervision.masks.labeled
        start = Outcome(supervision.masks.as_given(), np.where(expert, 0, -1))
        if not len(self.unlabeled):
            estimator = self.fit_estimator(supervision, start.masks)
            return start._replace(estimator=estimator, condition="all_labeled")
        if not self._is_taught() or self.labeler.teacher is not None:
            return start
        baseline = self.fit_baseline(supervision)
        return start._replace(estimator=baseline, baseline=baseline)

    def go_on(self, supervision: Supervision, before: Outcome) -> Outcome:
        """Return the outcome of one more round."""
        labeler = self.fit_labeler(supervision, before)
        masks = self.predict_masks(labeler, supervision)
        estimator = None if before.same(masks) else self.fit_estimator(supervision, masks)
        return self.end(before, labeler, masks, estimator)

    def fit_baseline(self, supervision: Supervision, task: str = "baseline") -> Any:
        """Fit the estimator without pseudo masks."""
        estimator = clone(self.estimator)
        positional, named = supervision.arguments(estimator)
        with self._phase(task, estimator):
            return estimator.fit(*positional, **named)

    def fit_labeler(self, supervision: Supervision, before: Outcome) -> Any:
        """Fit a labeler, whose teacher is the last round's estimator, if any."""
        labeler = clone(self.labeler)
        if before.estimator is not None:
            labeler.set_params(teacher=FrozenEstimator(before.estimator))
        learning = f"learning from the labeled images (round {before.n_iter + 1})"
        with blamed(labeler, learning), self._phase("labeler", labeler):
            refit = None if before.estimator is None else self._refit(supervision, before)
            metadata = replace(supervision, validation=None).arguments(labeler, refit=refit)[1]
            labeler.fit(supervision.X, supervision.masks.as_given(), **metadata)
        return labeler

    def predict_masks(self, labeler: Any, supervision: Supervision) -> list[Mask | None]:
        """Return all masks: experts' masks, and predicted ones with at least one trusted pixel.

        A positive image without a predicted finding is left out, so that it does not count as
        empty.
        """
        pseudo = predict_masks(labeler, supervision, self.unlabeled)
        if not self.selection.trusts_all:
            pseudo = self._trusted(labeler, supervision, pseudo)
        masks = list(supervision.masks.as_given())
        for row, mask in zip(self.unlabeled, pseudo, strict=True):
            if supervision.labels is not None:
                mask = heed_label(mask, supervision.labels[row])
            masks[row] = mask if (mask >= 0).any() else None
        return masks

    def fit_estimator(
        self, supervision: Supervision, masks: list[Mask | None], task: str = "segmenter"
    ) -> Any:
        """Fit the estimator on experts' and pseudo masks, and on labels of images without one."""
        used = _used(masks)
        if not used.any():
            raise ValueError(
                f"The pseudo-labeler {self.labeler!r:.120} dropped all of the {len(masks)} images, "
                "and none has a mask; expected at least one mask."
            )
        expert = supervision.masks.labeled
        supervision = supervision.with_masks(masks)
        estimator = clone(self.estimator)
        positive = supervision.masks.show_findings()
        fraction = balance_of(estimator, supervision)
        sampler = self.mixing.sampler(expert, positive, used, fraction)
        positional, named = supervision.arguments(estimator, sampler=sampler)
        with self._phase(task, estimator):
            return estimator.fit(*positional, **named)

    def end(
        self, before: Outcome, labeler: Any, masks: list[Mask | None], estimator: Any
    ) -> Outcome:
        """Return the outcome of a round; one without an estimator changed nothing."""
        if estimator is None:
            return before._replace(condition="no_change")
        n_iter, used = before.n_iter + 1, _used(masks)
        first = np.where(before.labeled_iter < 0, n_iter, before.labeled_iter)
        goes_on = None if self._is_taught() else "no_change"
        return before._replace(
            masks=masks,
            labeled_iter=np.where(used, first, -1),
            estimator=estimator,
            labeler=labeler,
            n_iter=n_iter,
            condition="max_iter" if n_iter == self.max_iter else goes_on,
        )

    def _refit(self, supervision: Supervision, before: Outcome) -> Callable[[Any], Any]:
        """Return a function that trains the teacher anew without some images' annotations."""

        def refit(rows: NDArray[np.intp]) -> Any:
            visible = supervision.hide(rows)
            if before.n_iter == 0:
                return self.fit_baseline(visible, task="fold")
            hidden = set(rows.tolist())
            masks = [None if row in hidden else mask for row, mask in enumerate(before.masks)]
            return self.fit_estimator(visible, masks, task="fold")

        return refit

    def _is_taught(self) -> bool:
        return "teacher" in self.labeler.get_params(deep=False)

    def _trusted(self, labeler: Any, supervision: Supervision, pseudo: list[Mask]) -> list[Mask]:
        """Set pixels to -1 where the labeler is not confident."""
        with blamed(labeler, "predicting its confidence by predict_proba"):
            probabilities = labeler.predict_proba(_safe_indexing(supervision.X, self.unlabeled))
            return self.selection.apply(pseudo, probabilities)

    @contextmanager
    def _phase(self, name: str, part: Any) -> Iterator[None]:
        with as_a_part(self.context.subcontext(task_name=name), part, self.owner):
            yield


def _used(masks: list[Mask | None]) -> NDArray[np.bool_]:
    return np.array([mask is not None for mask in masks])
