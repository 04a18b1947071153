"""Rounds of pseudo labels: a labeler learns and draws, a fresh segmenter learns from all masks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from segclf.base.parts import as_a_part
from segclf.base.supervision import taken
from segclf.data import MixingSampler, Sampler
from segclf.methods.pseudo_label.partly_known import Mask, PartlyKnown
from segclf.methods.pseudo_label.pseudo_masks import Selection, blamed, draw_masks


class Outcome(NamedTuple):
    """What rounds end with.

    Attributes
    ----------
    estimator : segmenter
        That of the last round, fitted.
    labeler : pseudo-labeler or None
        That of the last round, fitted; None where there was nothing to draw.
    masks : list of n arrays or None
        As used in the last round; None is not used.
    drawn_in : array of int, shape (n,)
        0 for an expert's mask, the round in which a mask was first drawn, -1 for none.
    n_iter : int
        Number of rounds.
    condition : {"max_iter", "no_change", "all_labeled"}
        Why there were no more.
    baseline : segmenter or None
        Fitted without drawn masks, where it taught the first labeler.
    """

    estimator: Any
    labeler: Any
    masks: list[Mask | None]
    drawn_in: NDArray[np.int64]
    n_iter: int
    condition: str
    baseline: Any = None


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How rounds go.

    Parameters
    ----------
    estimator, labeler : segmenter, pseudo-labeler
        Unfitted, seeded; each round has clones.
    expert_probability : float or None
        See `MixingSampler`; None is each image once an epoch.
    max_iter : int
        Number of rounds, at most.
    selection : Selection
        Which drawn pixels are trusted.
    owner : estimator
        Whose callbacks are lent to all that is fitted.
    context : CallbackContext
        Of its fit.
    """

    estimator: Any
    labeler: Any
    expert_probability: float | None
    max_iter: int
    selection: Selection
    owner: Any
    context: CallbackContext

    def run(self, known: PartlyKnown) -> Outcome:
        """Run them, on what is known."""
        chosen = np.flatnonzero(~known.expert & ~known.hidden)
        drawn_in = np.where(known.expert, 0, -1)
        if not len(chosen):
            estimator = self._train(known, known.masks)
            return Outcome(estimator, None, known.masks, drawn_in, 0, "all_labeled")
        is_needed = self._is_taught() and self.labeler.teacher is None
        baseline = self.baseline(known) if is_needed else None
        outcome = Outcome(baseline, None, known.masks, drawn_in, 0, "max_iter", baseline)
        while outcome.n_iter < self.max_iter:
            if outcome.n_iter and not self._is_taught():
                return outcome._replace(condition="no_change")
            following = self._round(known, chosen, outcome)
            if following is None:
                return outcome._replace(condition="no_change")
            outcome = following
        return outcome

    def baseline(self, known: PartlyKnown) -> Any:
        """Fit the estimator without drawn masks, for as many steps as if all were drawn."""
        estimator = clone(self.estimator)
        passes = Passes(len(known.masks), n_places=int((~known.hidden).sum()))
        with self._phase("baseline", estimator):
            return known.tell(estimator, known.masks, known.labels, sampler=passes)

    def _round(
        self, known: PartlyKnown, chosen: NDArray[np.intp], before: Outcome
    ) -> Outcome | None:
        """Draw and train; None where the same was drawn as before."""
        number = before.n_iter + 1
        labeler = self._new_labeler(before.estimator)
        told = {**known.told, "labels": known.labels}
        learning = f"learning from what is known (round {number})"
        with blamed(labeler, learning), self._phase("labeler", labeler):
            labeler.fit(known.X, known.masks, **taken(labeler, told))
        drawn = self._draw(labeler, known, chosen)
        masks = list(known.masks)
        for row, mask in zip(chosen, drawn, strict=True):
            masks[row] = mask if (mask >= 0).any() else None
        if number > 1 and _same(masks, before.masks):
            return None
        used = np.array([mask is not None for mask in masks])
        first = np.where(before.drawn_in < 0, number, before.drawn_in)
        drawn_in = np.where(used, first, -1)
        estimator = self._train(known, masks)
        return before._replace(
            estimator=estimator, labeler=labeler, masks=masks, drawn_in=drawn_in, n_iter=number
        )

    def _is_taught(self) -> bool:
        return "teacher" in self.labeler.get_params(deep=False)

    def _new_labeler(self, teacher: Any) -> Any:
        labeler = clone(self.labeler)
        if teacher is not None:
            labeler.set_params(teacher=FrozenEstimator(teacher))
        return labeler

    def _draw(self, labeler: Any, known: PartlyKnown, chosen: NDArray[np.intp]) -> list[Mask]:
        drawn = draw_masks(
            labeler, known.X, chosen, known.labels, shapes=known.shapes, n_ids=known.n_ids
        )
        if self.selection.trusts_all:
            return drawn
        with blamed(labeler, "saying how confident it is, by predict_proba"):
            probabilities = labeler.predict_proba(_safe_indexing(known.X, chosen))
            trusted = self.selection.apply(drawn, probabilities)
        negative = np.zeros(len(chosen), dtype=bool)
        if known.labels is not None:
            negative = (known.labels[chosen].reshape(len(chosen), -1) == 0).all(axis=1)
        triples = zip(drawn, trusted, negative, strict=True)
        return [whole if certain else part for whole, part, certain in triples]

    def _train(self, known: PartlyKnown, masks: list[Mask | None]) -> Any:
        used = np.array([mask is not None for mask in masks])
        if not used.any():
            raise ValueError(
                f"The pseudo-labeler {self.labeler!r:.120} dropped all of the {len(masks)} images, "
                "and none has a mask; expected one at least."
            )
        mixing = None
        if self.expert_probability is not None:
            mixing = MixingSampler(known.expert, self.expert_probability)
        estimator = clone(self.estimator)
        with self._phase("segmenter", estimator):
            return known.tell(estimator, masks, known.labels_of(used), sampler=mixing)

    @contextmanager
    def _phase(self, name: str, part: Any) -> Iterator[None]:
        """Show a fit as a task of ours, whether or not the part knows callbacks."""
        task = self.context.subcontext(task_name=name)
        if hasattr(part, "set_callbacks"):
            with as_a_part(task, part):
                yield
        else:
            task.call_on_fit_task_begin(estimator=self.owner)
            yield
            task.call_on_fit_task_end(estimator=self.owner)


@dataclass(frozen=True)
class Passes(Sampler):
    """Passes over all samples, until an epoch has as many places as one of a larger set.

    Parameters
    ----------
    n_samples, n_places : int
        How many there are, and how many places.

    Examples
    --------
    >>> [len(batch) for batch in Passes(2, n_places=5).batches(3, seed=0, epoch=0)]
    [3, 2]
    """

    n_samples: int
    n_places: int

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.intp]]:
        """Return the indices of each batch of an epoch."""
        generator = np.random.default_rng([seed, epoch])
        n_passes = -(-self.n_places // self.n_samples)
        order = np.concatenate([generator.permutation(self.n_samples) for _ in range(n_passes)])
        return np.array_split(order[: self.n_places], -(-self.n_places // batch_size))

    def subset(self, indices: NDArray[np.intp]) -> "Passes":
        """Return the passes over those samples, with as many places."""
        return replace(self, n_samples=len(indices))


def _same(masks: list[Mask | None], others: list[Mask | None]) -> bool:
    return all(
        one is other or (one is not None and other is not None and np.array_equal(one, other))
        for one, other in zip(masks, others, strict=True)
    )
