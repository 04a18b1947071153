import copy

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from encoded import count_encoded
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from segclf import (
    ConsistencySegmenter,
    DistilledSegmenter,
    ImageClassifier,
    SegmentationClassifier,
    SemiSupervisedSplit,
    SimSiamPretrainer,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.base import SegmenterEnsemble
from segclf.base.frozen_network import freeze
from segclf.datasets import make_shapes
from segclf.methods.distilled_segmenter import segmenter as distilled_segmenter
from segclf.methods.distilled_segmenter.student import student_of
from segclf.networks import TinyEncoder

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
    with pytest.raises(ValueError, match=r"have 3 ids .*; the teacher was trained on 2 ids"):
        soft.fit(SHAPES.images, 2 * SHAPES.masks)
    with pytest.raises(ValueError, match=r"have 2 channels; the teacher was trained on 2 ids"):
        soft.fit(SHAPES.images, np.stack([SHAPES.masks] * 2, axis=1))


def test_a_fit_that_fails_leaves_nothing_half_learned(teacher):
    segmenter = DistilledSegmenter(tiny(), tiny(optimizer="no such"))
    with pytest.raises(ValueError, match="optimizer"):
        segmenter.fit(SHAPES.images, MASKS)
    with pytest.raises(NotFittedError):
        check_is_fitted(segmenter)


OF_TRAINING = ("learning_rate", "optimizer", "max_steps", "batch_size")


def trained(estimator):
    return {name: estimator._setting(name) for name in OF_TRAINING}


@pytest.mark.parametrize(("encoder_rate", "rate"), [("auto", 1e-3), (0, 3e-3)])
def test_what_the_default_student_of_few_masks_is_trained_with(encoder_rate, rate):
    """CheXseg's 1e-3 (Appendix B.4), and as many steps as 100 images ask for, not 2 masks."""
    images = np.random.default_rng(0).random((100, 8, 8, 1))
    masks = [(image[..., 0] > 0.5).astype(int) if i < 2 else None for i, image in enumerate(images)]
    teacher = SupervisedSegmenter(encoder="tiny", encoder_rate=encoder_rate, max_seconds=1e-6)
    segmenter = DistilledSegmenter(teacher, on="all", random_state=0).fit(images, masks)
    expected = {"learning_rate": rate, "optimizer": "adamw", "max_steps": 100, "batch_size": 8}
    assert trained(segmenter.teacher_) == expected
    assert trained(segmenter.student_) == {**expected, "max_steps": 150}


def test_the_default_student_of_another_method_is_trained_as_students_are():
    few = {"encoder": "tiny", "max_steps": 1}
    teacher = ConsistencySegmenter(**few).fit(SHAPES.images, MASKS)
    assert teacher.learning_rate == 1e-4
    segmenter = DistilledSegmenter(FrozenEstimator(teacher)).fit(SHAPES.images)
    assert segmenter.student_.network_.recipe == teacher.network_.recipe
    expected = {"learning_rate": 1e-3, "optimizer": "adamw", "max_steps": 1, "batch_size": 8}
    assert trained(segmenter.student_) == expected
    set_by_hand = ConsistencySegmenter(**few, learning_rate=1e-5, batch_size=3)
    student = student_of(set_by_hand.fit(SHAPES.images, MASKS))
    assert (student.learning_rate, student.batch_size) == (1e-5, 3)


def test_the_default_student_has_the_network_that_auto_became(teacher):
    """Even where "auto" would now become another."""
    chosen = copy.deepcopy(teacher)
    chosen.set_params(encoder="auto", encoder_weights="auto")
    chosen.chosen_ = {**teacher.chosen_, "encoder": "tiny", "encoder_weights": None}
    student = student_of(chosen)
    assert (student.encoder, student.encoder_weights) == ("tiny", None)


@pytest.mark.parametrize("form", ["list", "ensemble"])
def test_of_several_teachers_the_student_learns_the_mean(teacher, form):
    """Of one that is always sure of background, and one of the finding: neither is believed."""
    teachers = [copy.deepcopy(teacher) for _ in range(2)]
    for each, score in zip(teachers, (4.0, -4.0), strict=True):
        for parameter in each.network_.head.parameters():
            parameter.data.zero_()
        each.network_.head[0].bias.data.copy_(torch.tensor([score, -score]))
    given = [FrozenEstimator(each) for each in teachers]
    if form == "ensemble":
        ensemble = SegmenterEnsemble(teacher)
        ensemble.segmenters_, ensemble.n_classes_, ensemble.multilabel_ = teachers, 2, False
        given = FrozenEstimator(ensemble)
    student = tiny(max_epochs=25, batch_size=4, learning_rate=3e-2)
    segmenter = DistilledSegmenter(given, student, temperature=1.0).fit(SHAPES.images)
    np.testing.assert_allclose(segmenter.predict_proba(SHAPES.images), 0.5, atol=0.05)
    assert segmenter.history_["distillation"][-1] == pytest.approx(np.log(2), abs=0.01)


def test_several_teachers_are_fitted_each_with_a_seed_of_its_own(tmp_path):
    given = [tiny(max_epochs=1, random_state=None), tiny(max_epochs=1), FrozenEstimator(None)]
    given[2] = FrozenEstimator(tiny(random_state=3).fit(SHAPES.images, MASKS))
    segmenter = clone(DistilledSegmenter(given, random_state=0)).fit(SHAPES.images, MASKS)
    assert segmenter.teacher_[2] is given[2].estimator
    seeds = [each.random_state for each in segmenter.teacher_]
    assert len(set(seeds)) == 3
    again = DistilledSegmenter(given, random_state=0).fit(SHAPES.images, MASKS)
    save(segmenter, tmp_path / "saved")
    expected = segmenter.predict_proba(SHAPES.images)
    for other in (again, load(tmp_path / "saved")):
        np.testing.assert_array_equal(other.predict_proba(SHAPES.images), expected)


def test_the_folds_of_an_ensemble_may_be_fitted_here():
    ensemble = SegmenterEnsemble(tiny(max_epochs=1), cv=3)
    segmenter = DistilledSegmenter(ensemble, random_state=0).fit(SHAPES.images, MASKS)
    assert len(segmenter.teacher_.segmenters_) == 3
    assert segmenter.student_.network_.recipe["encoder"] == "tiny"


def test_teachers_must_know_the_same_classes(teacher):
    other = tiny(max_epochs=1, n_classes=3).fit(SHAPES.images, MASKS)
    with pytest.raises(ValueError, match="The teachers have 2 classes, 3 classes"):
        DistilledSegmenter([FrozenEstimator(teacher), FrozenEstimator(other)]).fit(SHAPES.images)
    with pytest.raises(ValueError, match="a list of at least one segmenter"):
        DistilledSegmenter([]).fit(SHAPES.images)


FROZEN = {"encoder_rate": 0, "precision": "fp32", "max_epochs": 5, "batch_size": 3}


@pytest.mark.parametrize("augmentation", [None, "flips"])
def test_a_frozen_encoder_of_teacher_and_student_sees_each_image_once(
    augmentation, monkeypatch, tmp_path
):
    """The teacher's fit those with a mask, the student's the others, for both networks."""
    save_file(
        timm.create_model("test_efficientnet").state_dict(),
        tmp_path / "test_efficientnet.safetensors",
    )
    monkeypatch.setenv("SEGCLF_WEIGHTS", str(tmp_path))
    encoded = count_encoded(monkeypatch, smp.encoders.TimmUniversalEncoder)
    pretrained = {"encoder": "test_efficientnet", "encoder_weights": "imagenet"}
    frozen = tiny(**pretrained, **FROZEN, augmentation=augmentation)
    segmenter = DistilledSegmenter(frozen, random_state=0).fit(SHAPES.images, MASKS)
    assert segmenter.n_iter_ == 5
    assert encoded == {"TimmUniversalEncoder": len(SHAPES.images)}


def test_a_teacher_that_was_fine_tuned_scores_each_image_once(teacher, monkeypatch):
    encoded = count_encoded(monkeypatch, TinyEncoder)
    segmenter = DistilledSegmenter(FrozenEstimator(teacher), tiny(**FROZEN))
    segmenter.fit(SHAPES.images)
    assert encoded["TinyEncoder"] == 2 * len(SHAPES.images), "once by each of both encoders"


def test_new_images_are_scored_anew(teacher, monkeypatch):
    encoded = count_encoded(monkeypatch, TinyEncoder)
    student = tiny(**FROZEN, augmentation="light")
    DistilledSegmenter(FrozenEstimator(teacher), student).fit(SHAPES.images)
    assert encoded["TinyEncoder"] == 2 * 5 * len(SHAPES.images)


def test_scores_that_are_kept_teach_the_same(teacher, monkeypatch):
    def answer():
        segmenter = DistilledSegmenter(FrozenEstimator(teacher), tiny(batch_size=8, max_epochs=3))
        return segmenter.fit(SHAPES.images).predict_proba(SHAPES.images)

    kept = answer()
    monkeypatch.setattr(distilled_segmenter, "remember_scores", lambda *_, **__: None)
    np.testing.assert_allclose(answer(), kept, rtol=1e-5, atol=1e-6)
