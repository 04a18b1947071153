"""Segmenters that may learn from labels of images without a mask, by a term of the image."""

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.segmenter import Segmenter
from segclf.data import Samples


class ShortcutWarning(UserWarning):
    """More positive images teach by their label alone than by a mask."""


class LabelTermSegmenter(Segmenter):
    """What segmenters share whose objective has an image-level term.

    Parameters
    ----------
    label_weight : float or "auto"
        Weight of the image-level term, which learns from labels of images without a mask, by their
        pooled pixel scores. It does not say where, and so teaches shortcuts, too: whatever goes
        with the label. "auto" is 0, except for mask ids (or channels) that labels name and no mask
        shows: their labels are all that there is, and weigh 1. Where it is 0, an image whose label
        says nothing of any pixel is left out of training as an unlabeled one is; an image of label
        0 has its empty mask.

    Attributes
    ----------
    label_weight_ : float
        Weight of that term; with "auto" 0 or 1.
    """

    label_weight: Any = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "label_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    }

    def _label_ids(self, samples: Samples) -> NDArray[np.bool_]:
        """Choose the mask ids whose labels train the term, and keep its weight."""
        shown, alone = self._findings(samples)
        if isinstance(self.label_weight, str):
            chosen = np.asarray(alone.any(axis=0) & ~shown.any(axis=0))
            self.label_weight_ = float(chosen.any())
            return chosen
        self.label_weight_ = float(self.label_weight)
        n_shown, n_alone = (int(each.any(axis=1).sum()) for each in (shown, alone))
        if self.label_weight > 0 and n_alone > n_shown > 0:
            warnings.warn(
                f"label_weight={self.label_weight}: {n_alone} positive images have a label and no "
                f"mask, only {n_shown} a mask that shows something. Labels alone do not say where, "
                'and teach shortcuts. Use label_weight="auto", or predict the missing masks with '
                "PseudoLabelSemiSupervised.",
                ShortcutWarning,
                stacklevel=2,
            )
        return np.full(self.n_classes_, float(self.label_weight) > 0)

    @property
    def _term_weight(self) -> float:
        """What the term is multiplied by in batches that hold labels."""
        return 1.0 if self.label_weight == "auto" else float(self.label_weight)

    def _findings(self, samples: Samples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which findings masks show, and which labels say of images without one, (n, k)."""
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
