"""Propose an estimator: parameters by the rules of "auto", the encoder by cross-validation."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from segclf.base.automatic import PRETRAINED
from segclf.data import ImagesLike, LabelsLike, MasksLike
from segclf.reports.proposal.candidates import Candidate, find_candidates
from segclf.reports.proposal.explicit import explicit, network_of, with_network
from segclf.reports.proposal.labeled_images import check_labeled_images
from segclf.reports.proposal.pace import Pace
from segclf.reports.proposal.reasons import facts_of, reasons_of
from segclf.reports.proposal.result import EncoderTrial, Proposal, Reason, in_words
from segclf.reports.proposal.trials import Trials, best


def propose(
    X: ImagesLike,
    y: LabelsLike,
    masks: MasksLike | None = None,
    *,
    groups: ArrayLike | None = None,
    encoders: Sequence[Any] | None = None,
    negative_class: Any = "auto",
    cv: Any = 3,
    max_seconds: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Proposal:
    """Propose an unfitted estimator for given images, with explicit parameters and reasons.

    No encoder is best for all data. Encoders with installed pretrained weights are compared by
    cross-validation. They are frozen, so that all trainings share the encoded images, and trained
    for half of the proposed steps. The cheapest encoder among the best is chosen: those whose
    AUROC, and then IoU, are below the highest by no more than the standard error of the difference
    over the folds. All other parameters follow the rules of "auto".

    Parameters
    ----------
    X : array, list, paths or tensor
        The n images.
    y : array of shape (n,) or (n, k)
        Labels, -1 where unlabeled; or a multi-label indicator.
    masks : array, list or None
        Masks as in `SegmentationClassifier`. If none shows a finding, an `ImageClassifier` is
        proposed.
    groups : array of shape (n,), optional
        Group of each image, such as its patient; folds keep groups together.
    encoders : sequence of str or (str, weights), optional
        Encoders to compare instead: names, which mean ImageNet weights, or pairs with weights as
        in `encoder_weights`; (name, None) is trained from scratch. Weights named here may be
        downloaded and may have any licence.
    negative_class : label, "auto", "first" or None
        As in `SegmentationClassifier`.
    cv : int or splitter
        Folds. A number gives stratified folds that keep groups together, and fewer of them if a
        class has fewer images or groups.
    max_seconds : float, optional
        Time limit of the comparison, and of the fit of the proposal. Encoders are tried from the
        cheapest on and none is started after the limit. A training takes at most half of the time
        that is left. The proposal gets fewer `max_steps` if the measured pace requires it. With a
        limit the result depends on the speed of the machine, not only on the seed.
    random_state : int, RandomState or None
        Seed of the folds, of the trainings and of the proposed estimator.

    Returns
    -------
    Proposal

    Raises
    ------
    ValueError
        If a class occurs in fewer than two images or groups, or `encoders`, `cv` or `max_seconds`
        is not as described.

    Examples
    --------
    >>> from segclf import propose
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(12, image_size=32, n_objects=3, random_state=0)
    >>> encoders = [("tiny", None)]  # by default the installed ones
    >>> proposal = propose(
    ...     shapes.images, shapes.target, shapes.masks, encoders=encoders, cv=2, random_state=0
    ... )
    >>> proposal.estimator.segmenter.encoder, proposal.estimator.segmenter.max_steps
    ('tiny', 100)
    """
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"max_seconds={max_seconds!r}; expected a number above 0, or None.")
    data = check_labeled_images(X, y, masks, groups, negative_class)
    seed = _seed(random_state)
    trials = Trials(data, data.folds(cv, seed), seed, max_seconds)
    candidates = find_candidates(encoders, data.n_channels)
    ended = trials.run(candidates)
    winner = _winner(candidates, ended)
    estimator = explicit(data, winner, seed)
    because = {
        "encoder": _why(winner, ended, candidates),
        **_shorten(estimator, trials.paces.get(winner), max_seconds),
    }
    missed = [each.encoder for each in candidates[len(ended) :]]
    reasons = [*facts_of(data), *reasons_of(estimator, data, because), *_not_compared(missed)]
    return Proposal(estimator, reasons, ended)


def _seed(random_state: Any) -> int:
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _winner(candidates: list[Candidate], ended: list[EncoderTrial]) -> Candidate:
    """Return the best compared encoder; without any, that of "auto" or the cheapest."""
    if ended:
        return candidates[ended.index(best(ended))]
    usual = [each for each in candidates if each.encoder == PRETRAINED]
    return (usual or candidates)[0]


def _why(winner: Candidate, ended: list[EncoderTrial], candidates: list[Candidate]) -> str:
    if not ended:
        return "no comparison ended within max_seconds"
    trial = ended[candidates.index(winner)]
    scores = f"AUROC {in_words(trial.auroc)}"
    if not np.isnan(trial.iou).all():
        scores += f", IoU {in_words(trial.iou)}"
    scores += " out of fold"
    if len(ended) == 1:
        return f"the only one compared: {scores}"
    highest = max(ended, key=lambda each: np.nan_to_num(each.auroc).mean())
    if highest is trial:
        return f"the highest AUROC of {len(ended)}: {scores}"
    return (
        f"the cheapest of those that equal {highest.encoder} within the error "
        f"(AUROC {in_words(highest.auroc)}): {scores}"
    )


def _not_compared(encoders: list[str]) -> list[Reason]:
    if not encoders:
        return []
    return [Reason("not compared", ", ".join(encoders), "max_seconds was reached")]


def _shorten(estimator: Any, pace: Pace | None, max_seconds: float | None) -> dict[str, str]:
    """Reduce the steps of a fit that would take too long, and return the reason."""
    if max_seconds is None:
        return {}
    if pace is None:
        return {"max_steps": "its speed is unknown, since no training ended in time"}
    fitting, usual = pace.steps_within(max_seconds), network_of(estimator).max_steps
    if fitting >= usual:
        return {}
    with_network(estimator, max_steps=fitting)
    return {"max_steps": f"as many as fit into {max_seconds:g} s; the usual number is {usual}"}
