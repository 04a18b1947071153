"""The student: its default, and the checks of a given one."""

from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from segclf.axes import N_SPATIAL
from segclf.base import MetaSegmenter, Segmenter
from segclf.base.spatial import n_spatial
from segclf.methods.supervised_segmenter import SupervisedSegmenter

# Parameters that depend on the amount of training data.
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

    Parameters of training are taken from the teacher only if they differ from its defaults.
    """
    while isinstance(teacher, MetaSegmenter):
        teacher = teacher._segmenter
    given = {**teacher.network_.recipe, **_settings(teacher)}
    given["image_size"] = teacher.image_size_
    # A student may have no masks to compute metrics with.
    given["monitor"] = "loss" if given.get("monitor") else None
    if hasattr(teacher, "pretrainer_"):
        given["pretrainer"] = FrozenEstimator(teacher.pretrainer_)
    student = SupervisedSegmenter()
    ours = student.get_params(deep=False)
    return clone(student.set_params(**{name: given[name] for name in given if name in ours}))


def check_student(student: Any) -> None:
    """Raise if a student has no network of its own to train."""
    if isinstance(student, MetaSegmenter) or n_spatial(student) != N_SPATIAL:
        raise TypeError(
            f"student={student!r:.120} trains no network of its own; expected a segmenter that "
            "trains one network, such as SupervisedSegmenter."
        )


def check_classes(student: Segmenter, teacher: Any) -> None:
    """Raise if masks and labels, which define the student's classes, do not fit the teacher's."""
    n_shown, n_taught = student.n_classes_, teacher.n_classes_
    fits = n_shown == n_taught if teacher.multilabel_ else n_shown <= n_taught
    if fits and student.multilabel_ == teacher.multilabel_:
        return
    shown, taught = (
        f"{each.n_classes_} {'channels' if each.multilabel_ else 'ids including the background'}"
        for each in (student, teacher)
    )
    raise ValueError(f"Masks and labels have {shown}; the teacher was trained on {taught}.")


def _settings(teacher: Any) -> dict[str, Any]:
    kind, given = type(teacher), teacher.get_params(deep=False)
    left_alone = {name for name in _OF_TRAINING if given.get(name) == getattr(kind, name, None)}
    return {name: teacher._setting(name) for name in given if name not in left_alone}
