"""The student: what it is unless somebody says so, and what it must be."""

from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from segclf.axes import N_SPATIAL
from segclf.base import MetaSegmenter, Segmenter
from segclf.base.spatial import n_spatial
from segclf.methods.supervised_segmenter import SupervisedSegmenter

# What depends on how much there is to learn from.
_OF_TRAINING = (
    "optimizer",
    "learning_rate",
    "weight_decay",
    "schedule",
    "max_epochs",
    "max_steps",
    "batch_size",
)


def student_of(teacher: Any) -> SupervisedSegmenter:
    """Make a segmenter with the teacher's network, and its parameters as far as it has them.

    How it is trained is the student's own to decide, but for what the teacher was set to.
    """
    while isinstance(teacher, MetaSegmenter):
        teacher = teacher._segmenter
    given = {**teacher.network_.recipe, **_settings(teacher)}
    given["image_size"] = teacher.image_size_
    # A student may have no masks to be measured by.
    given["monitor"] = "loss" if given.get("monitor") else None
    if hasattr(teacher, "pretrainer_"):
        given["pretrainer"] = FrozenEstimator(teacher.pretrainer_)
    student = SupervisedSegmenter()
    ours = student.get_params(deep=False)
    return clone(student.set_params(**{name: given[name] for name in given if name in ours}))


def check_student(student: Any) -> None:
    """Refuse a student that leaves the training to others."""
    if isinstance(student, MetaSegmenter) or n_spatial(student) != N_SPATIAL:
        raise TypeError(
            f"student={student!r:.120} trains no network of its own; expected a segmenter that "
            "does, such as SupervisedSegmenter."
        )


def check_classes(student: Segmenter, teacher: Any) -> None:
    """Refuse masks and labels, whose kind the student has, of classes that the teacher lacks."""
    n_shown, n_taught = student.n_classes_, teacher.n_classes_
    fits = n_shown == n_taught if teacher.multilabel_ else n_shown <= n_taught
    if fits and student.multilabel_ == teacher.multilabel_:
        return
    shown, taught = (
        f"{each.n_classes_} {'channels' if each.multilabel_ else 'ids with the background'}"
        for each in (student, teacher)
    )
    raise ValueError(f"Masks and labels are of {shown}; the teacher was taught {taught}.")


def _settings(teacher: Any) -> dict[str, Any]:
    kind, given = type(teacher), teacher.get_params(deep=False)
    left_alone = {name for name in _OF_TRAINING if given.get(name) == getattr(kind, name, None)}
    return {name: teacher._setting(name) for name in given if name not in left_alone}
