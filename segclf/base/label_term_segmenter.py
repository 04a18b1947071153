"""Segmenters that may learn from labels of images without a mask, by an image-level loss."""

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.segmenter import Segmenter
from segclf.data import Samples


class ShortcutWarning(UserWarning):
    """More positive images have only a label than have a mask."""


class LabelTermSegmenter(Segmenter):
    """Base class of segmenters whose objective has an image-level term.

    Parameters
    ----------
    label_weight : float or "auto"
        Weight of the image-level term, which learns from labels of images without a mask, through
        their pooled pixel scores. Labels do not say where findings are, so the term also teaches
        shortcuts: anything that correlates with the label. "auto" is 0, except for mask ids (or
        channels) that labels name and no mask shows: labels are their only supervision, and have
        weight 1. If the weight is 0, an image whose label determines no pixel is left out of
        training like an unlabeled one; an image of label 0 has an empty mask.

    Attributes
    ----------
    label_weight_ : float
        Weight of that term; 0 or 1 with "auto".
    """

    label_weight: Any = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "label_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    }

    def _label_ids(self, samples: Samples) -> NDArray[np.bool_]:
        """Choose the mask ids whose labels train the term, and store its weight."""
        shown, alone = self._findings(samples)
        if isinstance(self.label_weight, str):
            chosen = np.asarray(alone.any(axis=0) & ~shown.any(axis=0))
            self.label_weight_ = float(chosen.any())
            return chosen
        self.label_weight_ = float(self.label_weight)
        n_shown, n_alone = (int(each.any(axis=1).sum()) for each in (shown, alone))
        if self.label_weight > 0 and n_alone > n_shown > 0:
            warnings.warn(
                f"label_weight={self.label_weight}: {n_alone} positive images have a label but no "
                f"mask, and only {n_shown} have a mask that shows something. Labels alone do not "
                "say where findings are, and teach shortcuts. "
                'Use label_weight="auto", or predict the missing masks with '
                "PseudoLabelSemiSupervised.",
                ShortcutWarning,
                stacklevel=2,
            )
        return np.full(self.n_classes_, float(self.label_weight) > 0)

    @property
    def _term_weight(self) -> float:
        """Factor of the term in batches that hold labels."""
        return 1.0 if self.label_weight == "auto" else float(self.label_weight)

    def _findings(self, samples: Samples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which findings masks show, and which only labels report, (n, k)."""
        shown = np.zeros((len(samples), self.n_classes_), dtype=bool)
        alone = shown.copy()
        if samples.masks is not None:
            shown = samples.masks.shown(self.n_classes_) == 1
        if samples.labels is not None:
            ids = 1 if self.multilabel_ else np.arange(self.n_classes_)
            alone = samples.labels.reshape(len(samples), -1) == ids
        if samples.masks is not None:
            alone &= ~samples.masks.labeled[:, None]
        if not self.multilabel_:
            shown[:, 0] = alone[:, 0] = False
        return shown, alone
