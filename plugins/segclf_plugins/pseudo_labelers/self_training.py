"""Self-training: a teacher that learned from the given masks predicts the others.

Lee, "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural
networks", ICML 2013 workshop; S4C's semi-supervised setting 1 (Hooper et al., NeurIPS 2023).
"""

import numpy as np
from numpy.typing import NDArray

from segclf_plugins.pseudo_labelers.base import TeacherLabeler

__all__ = ["SelfTrainingLabeler"]


class SelfTrainingLabeler(TeacherLabeler):
    """Pass on what a teacher predicts.

    Masks are hard. S4C's reference [32] is this with ``teacher=ConsistencySegmenter()``,
    ``threshold=None`` and ``margin=.15``, but for its soft masks, which `segclf.DistilledSegmenter`
    learns from. S4C's setting 1 knows no image labels; where there are some, an image labeled 0
    gets an empty mask, and one labeled otherwise is dropped if nothing of it is found.

    See Also
    --------
    BoostedLabeler : The same, and says how much has to be found.
    segclf.DistilledSegmenter : A student of the teacher's probabilities.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers import SelfTrainingLabeler
    >>> shapes = make_shapes(4, image_size=32, n_objects=3, random_state=0)
    >>> teacher = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> labeler = SelfTrainingLabeler(teacher=teacher, random_state=0)
    >>> labeler.fit(shapes.images, shapes.masks).predict(shapes.images).shape
    (4, 32, 32)
    """

    def _is_there(self, region: NDArray[np.bool_]) -> bool:
        return bool(region.any())
