"""Boosted self-training: cheap image labels correct the masks that a teacher predicts.

S4C's semi-supervised setting 2 (Hooper et al., "A case for reframing automated medical image
classification as segmentation", NeurIPS 2023): the masks of negative images are emptied, and
positive images without a positive region are dropped.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from segclf_plugins.pseudo_labelers.base import TeacherLabeler

__all__ = ["BoostedLabeler"]


class BoostedLabeler(TeacherLabeler):
    """Predict a teacher's masks, corrected by image labels.

    Images labeled 0 get an empty mask. Images labeled with a class that is not found are dropped.
    With multi-label masks, each class is emptied or dropped separately. Masks of unlabeled images
    stay unchanged.

    Parameters
    ----------
    min_area : int or float
        The least area of a class to count as found, in the mask after `threshold` and `margin`: a
        number of pixels, or a fraction of the image as a float in (0, 1). The paper does not
        specify it.

    See Also
    --------
    SelfTrainingLabeler : The same for images without labels.

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

    def _is_there(self, region: NDArray[np.bool_]) -> bool:
        whole = isinstance(self.min_area, Integral)
        least = self.min_area if whole else self.min_area * region.size
        return bool(np.count_nonzero(region) >= least)
