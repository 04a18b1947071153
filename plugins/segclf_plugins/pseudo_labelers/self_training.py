"""Self-training: a teacher that is trained on the given masks predicts the others.

Lee, "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural
networks", ICML 2013 workshop; S4C's semi-supervised setting 1 (Hooper et al., NeurIPS 2023).
"""

import numpy as np
from numpy.typing import NDArray

from segclf_plugins.pseudo_labelers.base import TeacherLabeler

__all__ = ["SelfTrainingLabeler"]


class SelfTrainingLabeler(TeacherLabeler):
    """Predict a teacher's masks.

    Masks are hard. S4C's reference [32] is this with ``teacher=ConsistencySegmenter()``,
    ``threshold=None`` and ``margin=.15``, except that its masks are soft;
    `segclf.DistilledSegmenter` can be trained on those. S4C's setting 1 has no image labels. If
    there are labels, an image labeled 0 gets an empty mask, and an image labeled with a class that
    is not found is dropped.

    See Also
    --------
    BoostedLabeler : The same with a parameter for the area that must be found.
    segclf.DistilledSegmenter : A student trained on the teacher's probabilities.

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
