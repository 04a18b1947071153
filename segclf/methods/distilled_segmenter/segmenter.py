"""Distillation: a student learns a teacher's soft masks of images without a mask.

A teacher trained on the few masks predicts the probability of each class at each pixel. A new
student learns these probabilities on the many images without a mask, and surpasses its teacher.
Gadgil, Endo, Wen, Ng and Rajpurkar, "CheXseg: Combining Expert Annotations with DNN-generated
Saliency Maps for X-ray Segmentation", arXiv version 1, section 4.2 and Appendix B.4 (the later
version leaves it out).
"""

from collections.abc import Callable
from dataclasses import field
from functools import partial
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base import MetaSegmenter, Segmenter, Supervision, supervise
from segclf.base.fine_tuned import WAYS_TO_LIE
from segclf.base.nothing_found import warn_once
from segclf.base.parts import as_a_part
from segclf.base.spatial import require_images
from segclf.base.validation_set import open_validation, with_validation
from segclf.cache import remember_scores
from segclf.data import ImagesLike, LabelsLike, MasksLike, Whole, watched_files
from segclf.methods.distilled_segmenter.student import check_classes, check_student, student_of
from segclf.methods.distilled_segmenter.teachers import members, network_of
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.objectives import Distillation, Objective


class DistilledSegmenter(MetaSegmenter):
    """Segment images with a student that learns from a trained segmenter.

    The teacher sees each batch as the student does: augmented, and at the student's `image_size`.
    If every epoch has the same images unchanged, the teacher scores each of them once, and a frozen
    encoder that both share runs once for both.

    Parameters
    ----------
    teacher : segmenter, FrozenEstimator, list of these or None
        Cloned and fitted on all that is passed. A fitted one inside
        ``sklearn.frozen.FrozenEstimator`` is used unchanged, and then no masks are needed. None
        means ``SupervisedSegmenter()``. With several teachers, a list or a
        ``segclf.base.SegmenterEnsemble``, the student learns the mean of their soft masks.
    student : Segmenter or None
        A segmenter of one network, trained by its own parameters except for the loss. None means a
        `SupervisedSegmenter` with the teacher's network and parameters (those of the first of
        several teachers), as far as it has them, starting from the teacher's pretrainer, as in the
        paper. Parameters of training, from `optimizer` to `batch_size`, are the teacher's only if
        they differ from its defaults, else "auto": AdamW instead of Adam, a learning rate of 1e-3
        as in Appendix B.4, or 3e-3 if the encoder is frozen, and a number of steps that depends on
        the number of images that the student learns from.
    temperature : float
        Temperature by which the scores of both are divided before the sigmoid; 10 in Appendix B.4.
        The higher it is, the closer the loss is to the squared distance of the scores.
    scale_by_temperature : bool
        Whether the loss is multiplied by the square of `temperature`, as in Hinton et al. (2015)
        but not in CheXseg. It makes little difference to Adam, but matters with SGD or a weight
        decay.
    margin : float or None
        Only pixels where the teacher's largest probability is above .5 + `margin` count, as in
        `SelfTrainingLabeler`; the loss of each image is the mean over these. None counts all
        pixels.
    on : {"unlabeled", "all", "masks_too"}
        Which images the student learns from: those without a mask (an image labeled 0 has an empty
        one), as in the paper, or all. If every image has a mask, it learns from all. "masks_too"
        also takes all, and the target of a labeled pixel is its label instead of the teacher's
        prediction.
    random_state : int, RandomState or None
        Seeds teacher and student; with None, they keep their own seeds.

    Attributes
    ----------
    student_ : Segmenter
        The trained student, which predicts.
    teacher_ : segmenter or list of segmenter
        The fitted teacher, which is the supervised baseline.
    n_iter_ : int
        Number of epochs of the student's training.

    Notes
    -----
    For soft pseudo-labels, in place of the hard ones of `SelfTrainingLabeler`, set
    ``temperature=1.0, margin=0.15, on="masks_too"``. With ``teacher=ConsistencySegmenter()`` as
    well, this is S4C's reference [32]: Hooper et al., Journal of Medical Imaging 2023, whose second
    step trains a new network in this way. Its loss is the cross-entropy of the softmax
    probabilities, which for two classes is the same as here.

    Examples
    --------
    >>> from segclf import DistilledSegmenter, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:4], None, None, None, None]
    >>> teacher = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> segmenter = DistilledSegmenter(teacher, random_state=0).fit(shapes.images, masks)
    >>> segmenter.student_.encoder, segmenter.predict(shapes.images).shape
    ('tiny', (8, 32, 32))
    """

    teacher: Any = field(default=None, kw_only=False)
    student: Any = field(default=None, kw_only=False)
    temperature: float = 10.0
    scale_by_temperature: bool = False
    margin: float | None = None
    on: str = "unlabeled"
    random_state: Any = None

    _answering: ClassVar[str] = "student_"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": [Segmenter, FrozenEstimator, list, None],
        "student": [Segmenter, None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "scale_by_temperature": ["boolean"],
        "margin": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "on": [StrOptions({"unlabeled", "all", "masks_too"})],
        "random_state": ["random_state"],
    }

    @with_callbacks
    @warn_once()
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: MasksLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: LabelsLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: MasksLike | Whole | None = None,
        labels_val: LabelsLike | Whole | None = None,
    ) -> Self:
        """Fit the teacher, then train the student on its predictions.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), list or None
            Masks, as in `Segmenter`: -1 is an unlabeled pixel; None in a list is an image without a
            mask.
        sample_weight : array of shape (n,), optional
            Weight of each image, for teacher and student.
        labels : array of shape (n,) or (n, k), optional
            The mask id that an image shows, 0 for none, -1 where unlabeled; or a multi-label
            indicator. For the teacher.
        groups : array of shape (n,), optional
            Group of each image; validation splits keep groups together.
        X_val, y_val, labels_val : images, masks and labels, optional
            A validation set in the form of X, y and labels, for teacher and student. Wrap each in
            `segclf.data.Whole` so that searches do not split it into folds.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        check_student(self.student)
        require_images(self.teacher, self)
        said: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight, "groups": groups}
        supervision = supervise(X, masks=y, **said)
        supervision = with_validation(supervision, X_val, masks=y_val, labels=labels_val)
        seeds = check_random_state(self._seeds).randint(np.iinfo(np.int32).max, size=2)
        context = self._init_callback_context(max_subtasks=self._n_parts)
        context.call_on_fit_task_begin(estimator=self)
        teacher = self._fitted_teacher(context, seeds[0], supervision)
        teachers = members(teacher)
        student = self._part(partial(student_of, teachers[0]), self.student, seeds[1])
        with as_a_part(context.subcontext(task_name="student"), student):
            self._teach(student, teachers, supervision, y)
        # The student comes first, since `transfer` takes the first network in a file that fits.
        self.student_, self.teacher_, self.n_iter_ = student, teacher, student.n_iter_
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    @property
    def _n_parts(self) -> int:
        given = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        return 1 + sum(not isinstance(each, FrozenEstimator) for each in given)

    def _fitted_teacher(self, context: CallbackContext, seed: int, supervision: Supervision) -> Any:
        if not isinstance(self.teacher, list):
            return self._fitted(self.teacher, context, seed, supervision)
        seeds = check_random_state(seed).randint(np.iinfo(np.int32).max, size=len(self.teacher))
        pairs = zip(self.teacher, seeds, strict=True)
        return [self._fitted(each, context, own, supervision) for each, own in pairs]

    def _fitted(
        self, given: Any, context: CallbackContext, seed: int, supervision: Supervision
    ) -> Any:
        if isinstance(given, FrozenEstimator):
            return given.estimator
        teacher = self._part(SupervisedSegmenter, given, seed)
        with as_a_part(context.subcontext(task_name="teacher"), teacher):
            supervision.fit(teacher)
        return teacher

    def _part(self, default: Callable[[], Any], given: Any, seed: int) -> Any:
        part = self._lend(default() if given is None else clone(given))
        own = part.get_params(deep=False)
        left_open = self.checkpoint is not None and own.get("random_state") is None
        if "random_state" in own and (self.random_state is not None or left_open):
            part.set_params(random_state=int(seed))
        return part

    def _teach(
        self, student: Segmenter, teachers: list[Any], supervision: Supervision, y: Any
    ) -> None:
        """Train the student's network on the teachers' scores of the chosen images."""
        supervision = supervision.open(student._open(supervision.X))
        chosen, groups = self._chosen(supervision), supervision.groups
        student._choose(supervision, n_taught=len(chosen))
        supervision = open_validation(supervision, student)
        samples = supervision.samples(student.image_size_, dense=False)
        if self.on == "masks_too":
            samples = student._check_targets(supervision)
            check_classes(student, teachers[0])
        student.n_classes_, student.multilabel_ = teachers[0].n_classes_, teachers[0].multilabel_
        with_callbacks(Segmenter._learn)(
            student,
            samples.subset(chosen),
            groups=None if groups is None else groups[chosen],
            X=supervision.X,
            y=y,
            wrap=partial(self._distillation, teachers, student, len(chosen)),
            keep_unlabeled=True,
        )

    def _distillation(
        self, teachers: list[Any], student: Segmenter, n_images: int, objective: Objective
    ) -> Distillation:
        taught = Distillation(
            objective.network,
            network_of(teachers),
            temperature=self.temperature,
            multilabel=teachers[0].multilabel_,
            margin=self.margin,
            scale_by_temperature=self.scale_by_temperature,
        )
        if student._sees_images_again():
            remember_scores(taught.teacher, objective.network, most=WAYS_TO_LIE * n_images)
        return taught

    def _chosen(self, supervision: Supervision) -> NDArray[np.intp]:
        """Return the indices of the images that the student learns from."""
        masked = supervision.with_mask()
        everything = self.on != "unlabeled" or masked.all()
        return np.arange(len(masked)) if everything else np.flatnonzero(~masked)
