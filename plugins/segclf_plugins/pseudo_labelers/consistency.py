"""Consistency: a teacher whose features ignore colors, then a network of its soft masks.

Both steps of S4C's reference [32]: Hooper et al., "Evaluating semi-supervision methods for medical
image segmentation: applications in cardiac magnetic resonance imaging", Journal of Medical Imaging
2023; S4C's semi-supervised setting 1 (Hooper et al., NeurIPS 2023, section 4.3).
"""

from typing import Any, ClassVar

from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, StrOptions

from segclf import ConsistencySegmenter, DistilledSegmenter
from segclf_plugins.pseudo_labelers.self_training import SelfTrainingLabeler

__all__ = ["ConsistencyLabeler"]


class ConsistencyLabeler(SelfTrainingLabeler):
    """Pass on what a network predicts that learned a consistent teacher's soft masks.

    The masks that it predicts are hard, as those of every labeler; soft are those that its own
    network learned from. Of labels it makes what `SelfTrainingLabeler` does.

    Parameters
    ----------
    teacher : "consistency", segmenter, FrozenEstimator, list of such, or None
        The first step. "consistency" is ``ConsistencySegmenter(encoder="tiny", max_steps=50,
        learning_rate=1e-3)``, which learns in a moment; give one with your encoder. A fitted one
        inside ``sklearn.frozen.FrozenEstimator`` predicts by itself, without a second step. None is
        the baseline of the `PseudoLabelSemiSupervised` around.
    threshold : "tuned", float, array of shape (k,) or None
        As of `SelfTrainingLabeler`. None, the most probable class, as in the reference.
    margin : float or None
        As of `SelfTrainingLabeler`, and of which pixels teach the second network: without a
        `threshold`, those whose largest probability is above .5 + `margin`; .15 in the
        reference's script.
    soft : bool
        Whether there is a second step: a fresh network, a `DistilledSegmenter`, learns the given
        masks and the teacher's probabilities, and predicts. Otherwise the teacher does.

    See Also
    --------
    SelfTrainingLabeler : The same of a teacher of masks alone.

    Examples
    --------
    >>> from segclf import ConsistencySegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers import ConsistencyLabeler
    >>> shapes = make_shapes(4, image_size=32, n_objects=3, random_state=0)
    >>> teacher = ConsistencySegmenter(encoder="tiny", max_epochs=1)
    >>> labeler = ConsistencyLabeler(teacher=teacher, random_state=0)
    >>> labeler.fit(shapes.images, [*shapes.masks[:2], None, None])
    ConsistencyLabeler(random_state=0,
                       teacher=ConsistencySegmenter(encoder='tiny', max_epochs=1))
    >>> labeler.predict(shapes.images).shape
    (4, 32, 32)
    """

    teacher: Any = "consistency"
    threshold: Any = None
    margin: float | None = 0.15
    soft: bool = True

    reads_volumes: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": [HasMethods(["fit", "predict_proba"]), list, StrOptions({"consistency"}), None],
        "soft": ["boolean"],
    }

    def _new_teachers(self) -> list[Any]:
        if self.teacher is None:
            return super()._new_teachers()
        given = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        steps = SelfTrainingLabeler(
            teacher=[self._second_step(each) for each in given],
            random_state=self.random_state,
            checkpoint=self.checkpoint,
            checkpoint_every=self.checkpoint_every,
        )
        return steps._new_teachers()

    def _second_step(self, teacher: Any) -> Any:
        """Return what learns after the teacher, or the teacher where nothing does."""
        if isinstance(teacher, str):
            teacher = ConsistencySegmenter(encoder="tiny", max_steps=50, learning_rate=1e-3)
        if not self.soft or isinstance(teacher, FrozenEstimator):
            return teacher
        return DistilledSegmenter(teacher, temperature=1.0, margin=self.margin, on="masks_too")
