"""After its process was killed, the same call of fit goes on and ends with the same bits."""

import warnings

import numpy as np
import pytest
from every_method import MASKS, SHAPES, TRAINED, by_name, fitted, outputs
from interrupted import bits
from segclf_plugins.pseudo_labelers import SelfTrainingLabeler
from sklearn.model_selection import GridSearchCV

import segclf
from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SimSiamPretrainer,
    SliceWise,
    SupervisedSegmenter,
)
from segclf.cache import checkpoint_files
from segclf.datasets import make_shapes
from segclf.testing.small import small_estimator
from segclf.training import CheckpointWarning


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", TRAINED, ids=by_name)
def test_every_method_goes_on(kind, watch, tmp_path):
    whole = fitted(kind, 2)
    options = {"checkpoint": tmp_path, "checkpoint_every": 1}
    assert watch.run(lambda: fitted(kind, 2, **options), most=1) == (None, 1)
    resumed, n_epochs = watch.run(lambda: fitted(kind, 2, **options))
    assert n_epochs == 1
    assert bits(resumed) == bits(whole)
    np.testing.assert_array_equal(outputs(resumed), outputs(whole))


def test_a_fit_that_was_finished_trains_nothing(watch, tmp_path):
    whole = fitted(SupervisedSegmenter, 2, checkpoint=tmp_path)
    found, n_epochs = watch.run(lambda: fitted(SupervisedSegmenter, 2, checkpoint=tmp_path))
    assert (n_epochs, bits(found)) == (0, bits(whole))


OPTIONS = {
    "early stopping": {"validation_fraction": 0.4, "n_iter_no_change": 1, "learning_rate": 0.5},
    "monitor": {"validation_fraction": 0.4, "monitor": "iou"},
    "averages": {"average_weights": 0.7, "schedule": "one_cycle"},
    "sgd": {"optimizer": "sgd", "clip_gradients": 1.0, "accumulate_batches": 2, "batch_size": 2},
    "steps": {"max_steps": 7, "batch_size": 3, "optimizer": "adamw", "weight_decay": 0.1},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "frozen": {"encoder_rate": 0.0, "batch_size": 3},
    "late": {"encoder_rate": 0.5, "encoder_start": 0.5, "batch_size": 3, "augmentation": "flips"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_all_that_the_loop_offers_goes_on(options, watch, tmp_path):
    def fit(**more):
        return fitted(SupervisedSegmenter, 4, **options, **more)

    whole, n_epochs = watch.run(fit)
    most = max(1, n_epochs - 2)
    folder = {"checkpoint": tmp_path, "checkpoint_every": 1}
    watch.run(lambda: fit(**folder), most=most)
    resumed, n_more = watch.run(lambda: fit(**folder))
    assert n_more == n_epochs - most
    assert bits(resumed) == bits(whole)
    assert resumed.termination_condition_ == whole.termination_condition_


def small(**options):
    return small_estimator(SupervisedSegmenter, 2).set_params(**options)


COMPOSED = {
    "pretrainer inside": lambda: small(pretrainer=small_estimator(SimSiamPretrainer, 2)),
    "folds": lambda: SegmentationClassifier(segmenter=small(), cv=2),
    "ensemble": lambda: SegmentationClassifier(segmenter=small(), cv=2, ensemble=True),
    "rounds": lambda: PseudoLabelSemiSupervised(small(), max_iter=2, baseline=False),
    "teachers of a labeler": lambda: PseudoLabelSemiSupervised(
        small(),
        labeler=SelfTrainingLabeler(teacher=[small(), small()], threshold=None),
        baseline=False,
    ),
    "teacher and student": lambda: DistilledSegmenter([small(), small()]),
}
VOLUMES = make_shapes(6, image_size=16, depth=4, n_objects=2, target_radius=4, random_state=0)


@pytest.mark.parametrize("name", COMPOSED)
def test_fits_inside_of_others_are_found_again(name, watch, tmp_path):
    def fit(**options):
        estimator = COMPOSED[name]().set_params(random_state=0, **options)
        if isinstance(estimator, SegmentationClassifier):
            return estimator.fit(SHAPES.images, SHAPES.target, masks=MASKS)
        return estimator.fit(SHAPES.images, MASKS)

    whole, n_epochs = watch.run(fit)
    resumed, trained = None, []
    while resumed is None:
        resumed, n = watch.run(lambda: fit(checkpoint=tmp_path, checkpoint_every=1), most=3)
        trained.append(n)
    assert len(trained) > 1
    assert sum(trained) == n_epochs
    np.testing.assert_array_equal(outputs(resumed), outputs(whole))
    assert watch.run(lambda: fit(checkpoint=tmp_path))[1] == 0


def test_slices_of_volumes_are_chosen_alike_in_the_next_call(watch, tmp_path):
    def fit():
        segmenter = SliceWise(small(max_epochs=4), max_slices=2, checkpoint=tmp_path)
        return segmenter.set_params(checkpoint_every=1).fit(VOLUMES.images, VOLUMES.masks)

    interrupted, n_before = watch.run(fit, most=2)
    whole, n_after = watch.run(fit)
    assert (interrupted, n_before, n_after) == (None, 2, 2)
    assert watch.run(fit)[1] == 0
    assert whole.n_slices_ == 12


def test_a_search_that_was_killed_goes_on(watch, tmp_path):
    def search():
        classifier = small_estimator(ImageClassifier, 2).set_params(
            checkpoint=tmp_path, checkpoint_every=1
        )
        search = GridSearchCV(classifier, {"learning_rate": [1e-3, 1e-2]}, cv=2)
        return search.fit(SHAPES.images, SHAPES.target)

    first, n_first = watch.run(search, most=7)
    assert first is None
    assert (n_first, watch.run(search)[1]) == (7, 3)
    assert watch.run(search)[1] == 0


def test_other_parameters_or_data_start_anew_and_say_so(watch, tmp_path):
    def fit(images=SHAPES.images, masks=MASKS, **options):
        segmenter = small(checkpoint=tmp_path, checkpoint_every=1, random_state=0)
        return segmenter.set_params(**options).fit(images, masks)

    watch.run(fit, most=1)
    others = (
        {"learning_rate": 0.02},
        {"random_state": 1},
        {"images": SHAPES.images[::-1]},
        {"masks": [None, *MASKS[1:]]},
        {"encoder_rate": 0.5},
    )
    for other in others:
        with pytest.warns(CheckpointWarning, match="starts anew"):
            assert watch.run(lambda: fit(**other))[1] == 2  # noqa: B023
    same = ({"verbose": 1}, {"n_threads": 2}, {"max_seconds": 60.0}, {"tile_size": 32})
    for other in same:
        assert watch.run(lambda: fit(**other))[1] < 2  # noqa: B023


def test_nothing_is_said_of_what_others_train_or_have_trained(watch, tmp_path):
    fit = small(checkpoint=tmp_path, random_state=0).fit
    fit(SHAPES.images, MASKS)
    with checkpoint_files.CheckpointFiles(tmp_path / "SupervisedSegmenter", "other") as files:
        files.write(checkpoint_files.Place(9, 1, False), {})
        with warnings.catch_warnings():
            warnings.simplefilter("error", CheckpointWarning)
            small(checkpoint=tmp_path, random_state=1).fit(SHAPES.images, MASKS)
    assert files.folder in files.__class__(files.folder.parent, "third").unfinished()


def test_what_cannot_be_known_again_is_refused(tmp_path):
    segmenter = small(checkpoint=tmp_path, schedule=lambda fraction: 1.0)
    with pytest.raises(TypeError, match=r"checkpoint cannot tell .* checkpoint=None"):
        segmenter.fit(SHAPES.images, MASKS)


def test_without_a_seed_it_goes_on_too(watch, tmp_path):
    def fit():
        return small(checkpoint=tmp_path, checkpoint_every=1).fit(SHAPES.images, MASKS)

    watch.run(fit, most=1)
    assert watch.run(fit)[1] == 1


def test_a_longer_training_goes_on_where_it_is_the_same(watch, tmp_path):
    def fit(max_epochs, **options):
        return fitted(SupervisedSegmenter, max_epochs, **options)

    for schedule, expected in (("constant", 2), ("cosine", 4)):
        options = {"schedule": schedule, "checkpoint": tmp_path}
        fit(2, **options)
        longer, n_epochs = watch.run(lambda: fit(4, **options))  # noqa: B023
        assert n_epochs == expected
        assert bits(longer) == bits(fit(4, schedule=schedule))


def test_kept_maps_are_made_again_in_the_same_batches(watch, encoded, tmp_path):
    """The last bits of a map may depend on the images that are encoded with it."""

    def fit(**options):
        classifier = small_estimator(ImageClassifier, 4).set_params(
            encoder_rate=0.0, class_balanced=True, batch_size=3, random_state=0, **options
        )
        return classifier.fit(SHAPES.images, [1, 1, 0, 0, 0, 0, 0, 0])

    whole = fit()
    expected, encoded[:] = list(encoded), []
    options = {"checkpoint": tmp_path, "checkpoint_every": 1}
    watch.run(lambda: fit(**options), most=3)
    encoded.clear()
    assert bits(fit(**options)) == bits(whole)
    assert encoded == expected
    assert len(expected) > 3


def test_callbacks_and_verbose_hear_of_the_last_epoch_again(watch, tmp_path, capsys):
    options = {"checkpoint": tmp_path, "checkpoint_every": 1, "verbose": 1}
    watch.run(lambda: fitted(SupervisedSegmenter, 4, **options), most=2)
    capsys.readouterr()
    fitted(SupervisedSegmenter, 4, **options)
    printed = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert printed == ["1", "2", "3"]


def test_a_frozen_encoder_is_not_written(tmp_path):
    for rate in (0.0, 1.0):
        fitted(SupervisedSegmenter, 1, encoder_rate=rate, checkpoint=tmp_path / str(rate))
    frozen, learning = (next((tmp_path / r).rglob("*.safetensors")) for r in ("0.0", "1.0"))
    assert b"encoder.stem" not in frozen.read_bytes() or b"encoder" not in frozen.read_bytes()
    assert frozen.stat().st_size < learning.stat().st_size / 2


def test_a_file_of_an_estimator_forgets_whose_folder_it_was(tmp_path):
    segclf.save(small(checkpoint=tmp_path, memory=tmp_path), tmp_path / "saved")
    loaded = segclf.load(tmp_path / "saved")
    assert (loaded.checkpoint, loaded.memory) == (None, None)
