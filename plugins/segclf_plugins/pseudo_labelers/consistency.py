"""Consistency: a teacher with color-invariant features, then a network trained on its soft masks.

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
    """Predict masks by a network that was trained on the soft masks of a consistent teacher.

    Predicted masks are hard, like those of every labeler; only the network's training masks are
    soft. Labels are used as in `SelfTrainingLabeler`.

    Parameters
    ----------
    teacher : "consistency", segmenter, FrozenEstimator, list of such, or None
        The first step. "consistency" is ``ConsistencySegmenter(encoder="tiny", max_steps=50,
        learning_rate=1e-3)``, which trains quickly; for real data give one with your encoder. A
        fitted one inside ``sklearn.frozen.FrozenEstimator`` predicts without a second step. None is
        the baseline of the `PseudoLabelSemiSupervised` that contains the labeler.
    threshold : "tuned", float, array of shape (k,) or None
        As in `SelfTrainingLabeler`. None means the most probable class, as in the reference.
    margin : float or None
        As in `SelfTrainingLabeler`. It also selects the training pixels of the second network:
        without a `threshold`, those whose largest probability is above .5 + `margin`; .15 in the
        reference's script.
    soft : bool
        Whether to make a second step: a new network, a `DistilledSegmenter`, is trained on the
        given masks and the teacher's probabilities, and predicts. Otherwise the teacher predicts.

    See Also
    --------
    SelfTrainingLabeler : The same with a teacher that is trained on masks alone.

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
        """Return the network that is trained after the teacher, or the teacher if there is none."""
        if isinstance(teacher, str):
            teacher = ConsistencySegmenter(encoder="tiny", max_steps=50, learning_rate=1e-3)
        if not self.soft or isinstance(teacher, FrozenEstimator):
            return teacher
        return DistilledSegmenter(teacher, temperature=1.0, margin=self.margin, on="masks_too")
