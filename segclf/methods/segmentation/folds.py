"""Segmenters of folds: a summarizer learns from the maps of each; they may predict together."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, get_tags

from segclf.base import SegmenterEnsemble, Supervision
from segclf.base.calibrated_summarizer import N_FOLDS
from segclf.base.split import Fold
from segclf.cache import digest
from segclf.data import Masks
from segclf.methods.segmentation.kept_segmenter import KeptSegmenter
from segclf.methods.segmentation.reading import Reading, Readings, whole
from segclf.progress import counted

# Segmenters, each with the rows for which a summarizer reads its maps.
ToRead = Iterable[tuple[KeptSegmenter, NDArray[np.intp]]]


def choose_folds(classifier: Any, summarizer: Any, supervision: Supervision) -> list[Fold]:
    """Return the folds of labeled images that a classifier needs, if any.

    Raises
    ------
    ValueError
        If an ensemble has no folds.
    """
    cv, ensemble = classifier.cv, classifier.ensemble
    if ensemble and cv is None:
        raise ValueError(
            "ensemble=True keeps the segmenters of folds, but cv=None has none; expected a number "
            "of folds or a splitter, such as cv=5."
        )
    if cv is None and classifier.calibrate is not None:
        cv = N_FOLDS
    if cv is None or not (ensemble or get_tags(summarizer).requires_fit):
        return []
    said = supervision.labels if supervision.target is None else supervision.target
    assert said is not None
    labeled = (said.reshape(len(supervision), -1) != -1).any(axis=1)
    return supervision.folds(cv, tested=labeled)


def with_folds(
    first: KeptSegmenter | SegmenterEnsemble,
    fit: Callable[[Supervision], KeptSegmenter],
    supervision: Supervision,
    folds: list[Fold],
    chosen: NDArray[np.intp],
) -> tuple[KeptSegmenter, ToRead]:
    """Return the segmenter that predicts, and those that the summarizer learns from.

    Parameters
    ----------
    first : KeptSegmenter or SegmenterEnsemble
        The one fitted on all images, which predicts; or an unfitted ensemble, which those of the
        folds will form.
    fit : callable
        Fits the segmenter of a fold.
    supervision : Supervision
        Supervision of all images.
    folds : list of (train, test)
        Without any, the summarizer learns from the segmenter that predicts.
    chosen : array of int
        Rows that the summarizer learns from.

    Returns
    -------
    kept, to_read
        Without an ensemble, the segmenters of folds are fitted one by one, as they are read.
    """
    of_folds = counted(folds, "cross-fitting", total=len(folds), unit="folds")
    others = ((fit(supervision.subset(train)), np.intersect1d(t, chosen)) for train, t in of_folds)
    if isinstance(first, KeptSegmenter):
        return first, others if folds else [(first, chosen)]
    members = list(others)
    return KeptEnsemble(first, [each for each, _ in members], supervision.masks), members


def reading_to_learn(
    read: Callable[[KeptSegmenter, Any], Readings],
    X: Any,
    chosen: NDArray[np.intp],
    segmenters: ToRead,
) -> Reading:
    """Read the maps that a summarizer learns from: each segmenter's share of the chosen rows."""

    def batches() -> Readings:
        for segmenter, rows in segmenters:
            part = _safe_indexing(X, rows)
            for indices, reading in read(segmenter, part) if len(rows) else ():
                yield np.searchsorted(chosen, rows[indices]), reading

    return whole(batches(), len(chosen))


class KeptEnsemble(KeptSegmenter):
    """Kept segmenters of folds that predict together.

    Parameters
    ----------
    ensemble : SegmenterEnsemble
        Unfitted.
    members : list of KeptSegmenter
        One for each fold.
    masks : Masks
        Masks of the kind that they were trained on.
    """

    def __init__(
        self, ensemble: SegmenterEnsemble, members: list[KeptSegmenter], masks: Masks
    ) -> None:
        tokens = [each.token for each in members]
        super().__init__(ensemble, token=None if None in tokens else digest(tokens))
        self._members, self._kind = members, masks.subset(np.arange(0))

    def restore(self) -> Any:
        """Return the fitted ensemble."""
        if self._members:
            self._segmenter._learn([each.restore() for each in self._members], self._kind)
            self._members = []
        return self._segmenter
