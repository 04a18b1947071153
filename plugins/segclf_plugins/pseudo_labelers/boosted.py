"""Boosted self-training: image labels, which are cheap, correct the masks that a teacher predicts.

S4C's semi-supervised setting 2 (Hooper et al., "A case for reframing automated medical image
classification as segmentation", NeurIPS 2023): the masks of negative images are emptied, and
positive images without a positive region are dropped.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from segclf.axes import is_multilabel
from segclf_plugins.pseudo_labelers.base import TeacherLabeler
from segclf_plugins.pseudo_labelers.pseudo_masks import Mask

__all__ = ["BoostedLabeler"]


class BoostedLabeler(TeacherLabeler):
    """Pass on what a teacher predicts, corrected by image labels.

    Where labels are many, each class is emptied or dropped by itself. Where nobody said what an
    image shows, its mask stays as it is.

    Parameters
    ----------
    min_area : int or float
        What counts as a region of a class: so many pixels for which it is the most probable one
        (with several labels, at one half or more), within the margin or not; a float in (0, 1) is
        that part of the image. The paper does not say.

    See Also
    --------
    SelfTrainingLabeler : The same without the correction of positives.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers import BoostedLabeler
    >>> shapes = make_shapes(4, image_size=32, n_objects=3, random_state=0)
    >>> teacher = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> labeler = BoostedLabeler(teacher=teacher, min_area=1000, random_state=0)
    >>> masks = labeler.fit(shapes.images, shapes.masks).predict(shapes.images, labels=[0, 1, 1, 0])
    >>> [int(mask.max()) for mask in masks]
    [0, -1, -1, 0]
    """

    min_area: float = 1

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "min_area": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
    }

    def _corrected(self, mask: Mask, label: Any) -> Mask:
        if label is None:
            return mask
        if is_multilabel(mask):
            pairs = zip(mask == 1, label, strict=True)
            missing = [said == 1 and not self._is_there(region) for region, said in pairs]
            return np.where(np.reshape(missing, (-1, 1, 1)), mask.dtype.type(-1), mask)
        if label > 0 and not self._is_there(mask == label):
            return np.full_like(mask, -1)
        return mask

    def _is_there(self, region: Mask) -> bool:
        whole = isinstance(self.min_area, Integral)
        least = self.min_area if whole else self.min_area * region.size
        return bool(np.count_nonzero(region) >= least)
