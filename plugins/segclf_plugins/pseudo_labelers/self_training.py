"""Self-training: a teacher that learned from the given masks predicts the others.

Lee, "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural
networks", ICML 2013 workshop; S4C's semi-supervised setting 1 (Hooper et al., NeurIPS 2023).
"""

from typing import Any

from segclf_plugins.pseudo_labelers.base import TeacherLabeler
from segclf_plugins.pseudo_labelers.pseudo_masks import Mask

__all__ = ["SelfTrainingLabeler"]


class SelfTrainingLabeler(TeacherLabeler):
    """Pass on what a teacher predicts, where it is sure.

    Masks are hard: each pixel gets its most probable class. S4C's reference [32] is this with
    ``teacher=ConsistencySegmenter()``, but for its soft masks, which `segclf.DistilledSegmenter`
    learns from. An image labeled 0 gets an empty mask; other labels are for the teacher alone.

    See Also
    --------
    BoostedLabeler : Image labels correct the masks.
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

    def _corrected(self, mask: Mask, label: Any) -> Mask:
        return mask
