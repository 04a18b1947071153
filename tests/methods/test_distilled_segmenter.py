import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    SegmentationClassifier,
    SemiSupervisedSplit,
    SimSiamPretrainer,
    SupervisedSegmenter,
    save,
)
from segclf.base.frozen_network import freeze
from segclf.datasets import make_shapes
from segclf.methods import distilled_segmenter
from segclf.testing import check_segmenter

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
MASKS = [*SHAPES.masks[:3], None, None, None, None, None]
TINY = {
    "encoder": "tiny",
    "max_epochs": 2,
    "optimizer": "adam",
    "batch_size": 16,
    "learning_rate": 1e-2,
    "schedule": "constant",
    "weight_decay": 0,
    "random_state": 0,
}


def tiny(**changes):
    return SupervisedSegmenter(**TINY | changes)


@pytest.fixture(scope="module")
def teacher():
    return tiny(max_epochs=20).fit(SHAPES.images, SHAPES.masks)


def seen_by(student, images=SHAPES.images):
    """Which images the student learned from: it normalizes by their mean."""
    means = {
        frozenset(range(start, stop)): images[start:stop].mean((0, 1, 2)) / 255
        for start in range(len(images))
        for stop in range(start + 1, len(images) + 1)
    }
    given = student.network_.mean.numpy()
    return min(means, key=lambda chosen: np.abs(means[chosen] - given).max())


def test_promises_of_a_segmenter():
    check_segmenter(DistilledSegmenter(tiny()))


@pytest.mark.parametrize("seed", [0, 1])
def test_without_any_mask_the_student_learns_what_the_teacher_says(teacher, seed):
    student = tiny(max_epochs=30, batch_size=2)
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), student, random_state=seed)
    segmenter.fit(SHAPES.images)
    theirs, ours = (each.predict(SHAPES.images) for each in (teacher, segmenter))
    assert (ours == theirs).mean() > 0.95
    assert (theirs == 0).mean() < 0.9, "and that is not all background"


def test_which_images_the_student_learns_from():
    def fitted(masks, labels=None, **options):
        segmenter = DistilledSegmenter(tiny(), random_state=0, **options)
        return segmenter.fit(SHAPES.images, masks, labels=labels)

    labels = np.array([-1, -1, -1, 0, 1, 1, -1, -1])
    assert seen_by(fitted(MASKS).student_) == set(range(3, 8))
    for everything in ("all", "masks_too"):
        assert seen_by(fitted(MASKS, on=everything).student_) == set(range(8))
    assert seen_by(fitted(MASKS, labels).student_) == set(range(4, 8))
    assert seen_by(fitted(list(SHAPES.masks)).student_) == set(range(8))
    assert seen_by(fitted(MASKS).teacher_) == set(range(3))


def test_the_masks_do_not_reach_the_student(teacher):
    first, second = (
        DistilledSegmenter(FrozenEstimator(teacher), random_state=0, on="all")
        .fit(SHAPES.images, masks)
        .predict_proba(SHAPES.images)
        for masks in (SHAPES.masks, 1 - SHAPES.masks)
    )
    np.testing.assert_array_equal(first, second)


def test_masks_reach_the_student_where_asked(teacher):
    """Masks that the teacher disagrees with; of the other images, the student learns its."""
    masks = [np.ones((16, 16), int)] * 3 + [None] * 5
    student = tiny(max_epochs=60, batch_size=4)
    options = {"temperature": 1.0, "margin": 0.3, "on": "masks_too", "random_state": 0}
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), student, **options)
    ours, theirs = (
        each.predict(SHAPES.images) for each in (segmenter.fit(SHAPES.images, masks), teacher)
    )
    assert ours[:3].mean() > 0.9 > 0.1 > theirs[:3].mean()
    assert (ours[3:] == theirs[3:]).mean() > 0.8


def test_an_image_labeled_0_has_an_empty_mask(teacher):
    """Of which the student learns, and no longer from the teacher's."""
    student = tiny(max_epochs=60, batch_size=4)
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), student, on="masks_too")
    segmenter.fit(SHAPES.images, None, labels=[0] * 8)
    assert not segmenter.predict(SHAPES.images).any()
    assert teacher.predict(SHAPES.images).any()


def test_what_the_teacher_is_not_sure_of_teaches_nothing(teacher):
    unsure = copy.deepcopy(teacher)
    for parameter in unsure.network_.head.parameters():
        parameter.data.zero_()
    assert (unsure.predict_proba(SHAPES.images) == 0.5).all()
    nothing, everything = (
        DistilledSegmenter(FrozenEstimator(unsure), tiny(), margin=margin)
        .fit(SHAPES.images)
        .history_["distillation"]
        for margin in (0.0, -0.1)
    )
    assert not nothing.any()
    assert everything.all()


def test_masks_are_held_out_and_the_unlabeled_stay(teacher):
    student = tiny(validation_fraction=0.5)
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), student, on="masks_too")
    segmenter.fit(SHAPES.images, MASKS)
    learned = [SHAPES.images[[i, *range(3, 8)]].mean((0, 1, 2)) / 255 for i in range(3)]
    given = segmenter.student_.network_.mean.numpy()
    assert np.isclose(given, learned, rtol=1e-5).all(1).sum() == 1
    assert np.isfinite(segmenter.history_["validation_distillation"]).all()


def test_the_teacher_is_fitted_as_alone():
    segmenter = DistilledSegmenter(tiny()).fit(SHAPES.images, MASKS)
    alone = tiny().fit(SHAPES.images, MASKS)
    np.testing.assert_array_equal(
        segmenter.teacher_.predict_proba(SHAPES.images), alone.predict_proba(SHAPES.images)
    )
    assert segmenter.n_iter_ == segmenter.student_.n_iter_ == 2
    assert set(segmenter.history_) == {"epoch", "learning_rate", "distillation", "loss", "seconds"}


def test_a_frozen_teacher_is_left_alone(teacher):
    before = freeze(teacher.network_)["arrays"]
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), tiny()).fit(SHAPES.images)
    assert segmenter.teacher_ is teacher
    for name, values in freeze(teacher.network_)["arrays"].items():
        np.testing.assert_array_equal(values, before[name], err_msg=name)
    assert all(parameter.requires_grad for parameter in teacher.network_.parameters())


def test_the_student_is_taught_by_the_teacher_as_it_is(teacher, monkeypatch):
    """Its normalization too, though the student's images are darker."""
    made = []

    class Kept(distilled_segmenter.Distillation):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(distilled_segmenter, "Distillation", Kept)
    DistilledSegmenter(FrozenEstimator(teacher), tiny()).fit(SHAPES.images // 2)
    for name, value in teacher.network_.state_dict().items():
        assert torch.equal(made[0].teacher.state_dict()[name], value), name


@pytest.mark.parametrize("scale", [False, True])
def test_parameters_matter(teacher, scale):
    def answer(**options):
        student = tiny(optimizer="sgd")
        segmenter = DistilledSegmenter(FrozenEstimator(teacher), student, **options)
        return segmenter.fit(SHAPES.images).predict_proba(SHAPES.images)

    plain = answer(temperature=10.0)
    changed = {"scale_by_temperature": True} if scale else {"temperature": 1.0}
    assert not np.array_equal(answer(**changed), plain)


def test_validation_holds_out_unlabeled_images(teacher):
    student = tiny(validation_fraction=0.4)
    groups = np.arange(8) // 2
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), student)
    segmenter.fit(SHAPES.images, None, groups=groups)
    assert np.isfinite(segmenter.history_["validation_distillation"]).all()


@pytest.mark.parametrize("on", ["unlabeled", "masks_too"])
def test_several_labels_a_pixel(on):
    masks = np.stack([SHAPES.masks, 1 - SHAPES.masks, SHAPES.masks], axis=1)
    segmenter = DistilledSegmenter(tiny(), on=on, random_state=0).fit(
        SHAPES.images, [*masks[:3], *[None] * 5]
    )
    assert segmenter.multilabel_
    assert segmenter.n_classes_ == 3
    assert segmenter.predict(SHAPES.images).shape == masks.shape


def test_the_default_student_is_as_the_teacher():
    pretrainer = SimSiamPretrainer(projection_size=8, prediction_size=8, max_epochs=1)
    given = tiny(architecture="fpn", decoder_attention=None, batch_size=3, pretrainer=pretrainer)
    segmenter = DistilledSegmenter(given).fit(SHAPES.images, MASKS)
    student = segmenter.student_
    assert student.network_.recipe == segmenter.teacher_.network_.recipe
    assert student.batch_size == 3
    assert student.pretrainer.estimator is segmenter.teacher_.pretrainer_
    assert student.transferred_["taken"] == segmenter.teacher_.transferred_["taken"]


def test_a_distilled_segmenter_teaches():
    inner = DistilledSegmenter(tiny(batch_size=3))
    segmenter = DistilledSegmenter(inner, random_state=0).fit(SHAPES.images, MASKS)
    assert segmenter.student_.encoder == "tiny"
    assert segmenter.student_.batch_size == 3


def test_inside_a_classifier():
    segmenter = DistilledSegmenter(tiny())
    classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    classifier.fit(SHAPES.images, SHAPES.target, masks=MASKS)
    assert classifier.predict(SHAPES.images).shape == (8,)
    assert classifier.segmenter_.random_state is not None


def test_in_a_search():
    grid = {"temperature": [1.0, 10.0], "teacher__learning_rate": [1e-3, 1e-2]}
    masks = [None if i in (0, 5) else mask for i, mask in enumerate(SHAPES.masks)]
    segmenter = DistilledSegmenter(tiny(max_epochs=1), random_state=0)
    search = GridSearchCV(segmenter, grid, cv=SemiSupervisedSplit(2), error_score="raise")
    search.fit(SHAPES.images, masks)
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class Recorder:
    """Writes down the tasks that end, one level below too, as `ProgressBar` does."""

    max_propagation_depth = 1

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def teardown(self, estimator, context):
        """Nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Only ends count."""

    def on_fit_task_end(self, estimator, context):
        part = context if context.task_name == "fit" else context.parent
        self.ended.append((context.task_name, part.source_task_name))


@pytest.mark.parametrize("frozen", [False, True])
def test_callbacks_see_the_epochs_of_teacher_and_student(teacher, frozen):
    recorder = Recorder()
    given = FrozenEstimator(teacher) if frozen else tiny()
    segmenter = DistilledSegmenter(given, tiny()).set_callbacks(recorder)
    segmenter.fit(SHAPES.images, MASKS)
    parts = {
        name: [("epoch", name), ("epoch", name), ("fit", name)] for name in ("teacher", "student")
    }
    taught = [] if frozen else parts["teacher"]
    assert recorder.ended == [*taught, *parts["student"], ("fit", None)]
    assert not hasattr(segmenter.student_, "_skl_callbacks")


@pytest.mark.parametrize("form", ["frozen", "file"])
def test_what_the_student_learned_is_handed_on(form, tmp_path):
    segmenter = DistilledSegmenter(tiny(), random_state=0).fit(SHAPES.images, MASKS)
    source = FrozenEstimator(segmenter)
    if form == "file":
        source = tmp_path / "saved.safetensors"
        save(segmenter, source)
    heir = tiny(pretrainer=source, encoder_rate=0.0).fit(SHAPES.images, SHAPES.masks)
    for name, value in segmenter.student_.network_.encoder.state_dict().items():
        assert torch.equal(heir.network_.encoder.state_dict()[name], value), name


def test_refusals(teacher):
    classifier = ImageClassifier(**TINY).fit(SHAPES.images, SHAPES.target)
    with pytest.raises(TypeError, match="has no network that scores pixels"):
        DistilledSegmenter(FrozenEstimator(classifier)).fit(SHAPES.images)
    with pytest.raises(TypeError, match=r"student=DistilledSegmenter.* trains no network"):
        DistilledSegmenter(tiny(), DistilledSegmenter()).fit(SHAPES.images, MASKS)
    with pytest.raises(NotFittedError):
        DistilledSegmenter(FrozenEstimator(tiny())).fit(SHAPES.images)
    with pytest.raises(ValueError, match="There are 3 masks for 8 images"):
        DistilledSegmenter(FrozenEstimator(teacher)).fit(SHAPES.images, MASKS[:3])
    soft = DistilledSegmenter(FrozenEstimator(teacher), tiny(), on="masks_too")
    with pytest.raises(ValueError, match="None of the 8 images is labeled"):
        soft.fit(SHAPES.images)
    with pytest.raises(ValueError, match=r"of 3 ids .*; the teacher was taught 2 ids"):
        soft.fit(SHAPES.images, 2 * SHAPES.masks)
    with pytest.raises(ValueError, match=r"of 2 channels; the teacher was taught 2 ids"):
        soft.fit(SHAPES.images, np.stack([SHAPES.masks] * 2, axis=1))


def test_a_fit_that_fails_leaves_nothing_half_learned(teacher):
    segmenter = DistilledSegmenter(tiny(), tiny(optimizer="no such"))
    with pytest.raises(ValueError, match="optimizer"):
        segmenter.fit(SHAPES.images, MASKS)
    with pytest.raises(NotFittedError):
        check_is_fitted(segmenter)
