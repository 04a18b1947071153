import pickle

import nibabel
import numpy as np
import PIL.Image
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

import segclf
from segclf import (
    MaskScorer,
    OtsuPretrainer,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SliceWise,
    SupervisedSegmenter,
)
from segclf.base import SegmenterEnsemble, maps
from segclf.base.slices import SliceChoice, as_slices
from segclf.base.supervision import supervise
from segclf.data import MaskCleaner, as_images, load_image, load_mask
from segclf.datasets import make_shapes
from segclf.displays import SaliencyDisplay
from segclf.metrics import dice_score, mean_iou
from segclf.registry import make_plugin
from segclf.reports import audit_masks, framing_report

SETTINGS = {"image_size": 16, "n_objects": 3, "target_radius": 3, "background_radius": 3}
VOLUMES = make_shapes(6, depth=4, random_state=8, **SETTINGS)
UNEVEN = make_shapes(6, depth=(2, 5), random_state=8, **SETTINGS)
MASKS = [None if index == 5 else mask for index, mask in enumerate(VOLUMES.masks)]


def small(max_epochs=2, **parameters):
    settings = {"encoder": "tiny", "max_epochs": max_epochs, "learning_rate": 1e-2}
    return SupervisedSegmenter(**settings, **parameters)


def fitted(volumes=VOLUMES, masks=None, **parameters):
    masks = volumes.masks if masks is None else masks
    segmenter = SliceWise(small(), random_state=0, **parameters)
    return segmenter.fit(volumes.images, masks)


class Recorder(BaseEstimator):
    """A foreign segmenter that keeps what it was fitted with, and says how bright a pixel is."""

    def fit(self, X, y=None, labels=None, groups=None, sample_weight=None):
        self.seen_ = {"X": X, "y": y, "labels": labels, "groups": groups, "weight": sample_weight}
        return self

    def predict_proba(self, X):
        bright = np.stack([X[index][..., 0] for index in range(len(X))]) / np.float32(255)
        return np.stack([1 - bright, bright], axis=1)


def test_a_volume_is_segmented_as_its_slices_are():
    segmenter = fitted()
    slices = VOLUMES.images.reshape(-1, 16, 16)
    expected = segmenter.segmenter_.predict_proba(slices).reshape(6, 4, 2, 16, 16)
    np.testing.assert_array_equal(
        segmenter.predict_proba(VOLUMES.images), expected.transpose(0, 2, 1, 3, 4)
    )
    masks = segmenter.segmenter_.predict(slices).reshape(6, 4, 16, 16)
    np.testing.assert_array_equal(segmenter.predict(VOLUMES.images), masks)


def test_learning_from_volumes_is_learning_from_their_slices():
    plain = small(random_state=3).fit(
        VOLUMES.images.reshape(-1, 16, 16),
        VOLUMES.masks.reshape(-1, 16, 16),
        groups=np.repeat(np.arange(6), 4),
    )
    wrapped = SliceWise(small(random_state=3)).fit(VOLUMES.images, VOLUMES.masks)
    for name, value in plain.network_.state_dict().items():
        assert torch.equal(value, wrapped.segmenter_.network_.state_dict()[name])


def test_volumes_of_several_sizes_and_a_single_one():
    segmenter = fitted(UNEVEN)
    maps = segmenter.predict_proba(UNEVEN.images)
    assert [each.shape[1:] for each in maps] == [each.shape for each in UNEVEN.images]
    for index, volume in enumerate(UNEVEN.images):
        alone = segmenter.predict_proba([volume])
        np.testing.assert_allclose(alone[0], maps[index], rtol=0, atol=1e-7)


def test_neighbors_are_channels_and_the_ends_are_repeated():
    volumes = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    source = as_images(volumes, n_spatial=3)
    slices = source.slices(np.array([1, 1]), np.array([0, 1]), neighbors=1)
    first, second = slices[0], slices[1]
    np.testing.assert_array_equal(np.moveaxis(first, -1, 0), volumes[1, [0, 0, 1]])
    np.testing.assert_array_equal(np.moveaxis(second, -1, 0), volumes[1, [0, 1, 2]])
    segmenter = fitted(neighbors=1)
    assert segmenter.segmenter_.n_channels_ == 3
    assert segmenter.n_channels_ == 1
    assert segmenter.predict(VOLUMES.images).shape == VOLUMES.images.shape


def test_neighbors_of_channels_stay_slice_by_slice():
    volumes = np.random.default_rng(0).integers(0, 255, (1, 3, 8, 9, 2)).astype(np.uint8)
    slices = as_images(volumes, n_spatial=3, channels="last").slices(
        np.array([0]), np.array([1]), neighbors=1
    )
    expected = np.concatenate([volumes[0, z] for z in range(3)], axis=-1)
    np.testing.assert_array_equal(slices[0], expected)


def test_what_slices_are_told():
    labels = np.array([0, 1, -1, 1, -1, 0])
    masks = [None, VOLUMES.masks[1], None, None, VOLUMES.masks[4], None]
    weights = np.array([1, 2, 1, 1, 1, 1])
    recorder = SliceWise(Recorder()).fit(
        VOLUMES.images, masks, weights, labels=labels, groups=[7, 7, 8, 8, 9, 9]
    )
    seen = recorder.segmenter_.seen_
    assert [mask is None for mask in seen["y"]] == np.repeat([1, 0, 1, 1, 0, 1], 4).tolist()
    np.testing.assert_array_equal(np.stack(seen["y"][4:8]), VOLUMES.masks[1])
    # A label that says that something is somewhere says nothing of a slice.
    assert seen["labels"].tolist() == np.repeat([0, -1, -1, -1, -1, 0], 4).tolist()
    assert seen["groups"].tolist() == np.repeat([7, 7, 8, 8, 9, 9], 4).tolist()
    assert set((seen["weight"][4:8] / seen["weight"][0]).round(6)) == {2}


def test_without_groups_each_volume_is_one():
    seen = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks).segmenter_.seen_
    assert seen["groups"].tolist() == np.repeat(np.arange(6), 4).tolist()
    np.testing.assert_array_equal(seen["X"][5], VOLUMES.images[1, 1][..., None])


def test_a_foreign_segmenter_predicts_volumes():
    segmenter = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks)
    assert not hasattr(segmenter, "embed_batches")
    bright = VOLUMES.images / np.float32(255)
    np.testing.assert_array_equal(segmenter.predict_proba(VOLUMES.images)[:, 1], bright)
    np.testing.assert_array_equal(segmenter.predict(VOLUMES.images), bright > 0.5)


def test_max_slices_takes_findings_first():
    shows = np.zeros(20, dtype=bool)
    shows[[3, 4, 5, 6, 7, 8]] = True
    for most, fraction, expected in ((8, 0.5, 4), (8, 1.0, 6), (8, 0.0, 0), (16, 0.0, 2)):
        chosen = SliceChoice(most, fraction, np.random.RandomState(0)).of(shows)
        assert len(chosen) == len(set(chosen)) == most
        assert shows[chosen].sum() == expected
    assert SliceChoice(None, 0.5, np.random.RandomState(0)).of(shows).tolist() == list(range(20))
    segmenter = fitted(UNEVEN, max_slices=2)
    assert segmenter.n_slices_ == 12


def test_multilabel_masks_of_volumes():
    masks = np.stack([VOLUMES.masks, VOLUMES.images > 100], axis=1).astype(np.uint8)
    segmenter = fitted(masks=masks)
    assert segmenter.multilabel_
    assert segmenter.predict(VOLUMES.images).shape == (6, 2, 4, 16, 16)
    given = supervise(None, images=as_images(VOLUMES.images, n_spatial=3), masks=masks)
    slices = as_slices(given, neighbors=0, choice=None)
    np.testing.assert_array_equal(slices.masks[5], masks[1, :, 1])


def test_score_is_of_voxels():
    segmenter = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks)
    truth, predicted = VOLUMES.masks == 1, segmenter.predict(VOLUMES.images) == 1
    expected = (truth & predicted).sum() / (truth | predicted).sum()
    assert segmenter.score(VOLUMES.images, VOLUMES.masks) == pytest.approx(expected)


def test_scorers_and_searches_score_voxels():
    segmenter = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks)
    expected = dice_score(VOLUMES.masks, segmenter.predict(VOLUMES.images), n_spatial=3)
    assert MaskScorer(dice_score)(segmenter, VOLUMES.images, VOLUMES.masks) == expected
    search = GridSearchCV(SliceWise(Recorder()), {"neighbors": [0, 1]}, cv=2)
    search.fit(VOLUMES.images, VOLUMES.masks)
    scores = [segmenter.score(VOLUMES.images[part], VOLUMES.masks[part]) for part in np.s_[:3, 3:]]
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(scores))
    classifier = SegmentationClassifier(search, summarizer="threshold")
    classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)
    assert classifier.predict_masks(VOLUMES.images).shape == VOLUMES.masks.shape


def test_cleaned_masks_are_of_whole_volumes():
    segmenter = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks)
    plain = segmenter.predict(VOLUMES.images)
    cleaner = MaskCleaner(n_spatial=3, largest=True)
    segmenter.set_params(post_processing=cleaner)
    cleaned = segmenter.predict(VOLUMES.images)
    np.testing.assert_array_equal(cleaned, np.stack([cleaner(mask) for mask in plain]))
    np.testing.assert_array_equal(
        segmenter._decide(segmenter.predict_proba(VOLUMES.images)), cleaned
    )


def test_two_fits_with_one_seed_agree_and_copies_say_the_same(tmp_path):
    first, second = fitted(max_slices=2), fitted(max_slices=2)
    expected = first.predict_proba(VOLUMES.images)
    np.testing.assert_array_equal(second.predict_proba(VOLUMES.images), expected)
    again = clone(first).fit(VOLUMES.images, VOLUMES.masks)
    segclf.save(first, tmp_path / "segmenter")
    for copy in (again, pickle.loads(pickle.dumps(first)), segclf.load(tmp_path / "segmenter")):
        np.testing.assert_array_equal(copy.predict_proba(VOLUMES.images), expected)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "inner",
    [
        small(pretrainer=OtsuPretrainer(encoder="tiny", max_epochs=1)),
        small(encoder_rate=0.0),
        PseudoLabelSemiSupervised(small(), labeler="self_training", baseline=False, guard=False),
        PseudoLabelSemiSupervised(small(), labeler="boosted", baseline=False, guard=False),
        SegmenterEnsemble(small(), cv=2),
    ],
    ids=["otsu", "frozen", "self_training", "boosted", "ensemble"],
)
def test_what_a_segmenter_of_images_has_works_on_volumes(inner):
    segmenter = SliceWise(inner, random_state=0).fit(VOLUMES.images, MASKS)
    assert segmenter.predict(VOLUMES.images).shape == VOLUMES.images.shape


def test_an_ensemble_counts_voxels():
    inner = SliceWise(Recorder()).fit(UNEVEN.images, UNEVEN.masks)
    ensemble, weights = SegmenterEnsemble.of([inner]), np.arange(1, 7)
    truth = [(volume > 100).astype(int) for volume in UNEVEN.images]
    predicted = ensemble.predict(UNEVEN.images)
    expected = mean_iou(truth, predicted, n_classes=2, n_spatial=3, sample_weight=weights)
    assert ensemble.score(UNEVEN.images, truth, weights) == pytest.approx(expected)
    assert 0 < expected < 1


def test_a_validation_set_is_of_volumes():
    segmenter = SliceWise(small(n_iter_no_change=1), random_state=0)
    segmenter.fit(VOLUMES.images[:4], VOLUMES.masks[:4], X_val=UNEVEN.images, y_val=UNEVEN.masks)
    assert "validation_loss" in segmenter.segmenter_.history_


def test_refusals():
    with pytest.raises(ValueError, match=r"\[..., None\]"):
        SliceWise(small()).fit(np.zeros((4, 20, 20, 3)), np.zeros((4, 20, 20, 3), int))
    with pytest.raises(ValueError, match="channels='last' or channels='first'"):
        SliceWise(small()).fit(np.zeros((4, 2, 5, 20, 20)), None, labels=[0, 0, 0, 1])
    with pytest.raises(ValueError, match="expected volumes"):
        SliceWise(small()).fit(np.zeros((4, 20, 20)), np.zeros((4, 20, 20), int))
    with pytest.raises(ValueError, match=r"pass X\[:, None\]"):
        SliceWise(small()).fit(torch.zeros(4, 5, 20, 20), np.zeros((4, 5, 20, 20), int))
    with pytest.raises(ValueError, match="4 x 16 x 15 pixels, its image 4 x 16 x 16"):
        SliceWise(small()).fit(VOLUMES.images, VOLUMES.masks[..., :15])
    with pytest.raises(ValueError, match=r"SliceWise\(SliceWise"):
        SliceWise(SliceWise(small())).fit(VOLUMES.images, VOLUMES.masks)
    with pytest.raises(ValueError, match="requires y to be passed"):
        SliceWise(small()).fit(VOLUMES.images)
    with pytest.raises(ValueError, match="expected 1, as fit saw"):
        fitted().predict(np.zeros((2, 4, 16, 16, 3), dtype=np.uint8))


def test_tensors_and_channels_first_are_the_same_volumes():
    segmenter = fitted()
    expected = segmenter.predict_proba(VOLUMES.images)
    tensor = torch.from_numpy(VOLUMES.images)[:, None]
    np.testing.assert_array_equal(segmenter.predict_proba(tensor), expected)
    segmenter.set_params(channels="first")
    np.testing.assert_array_equal(segmenter.predict_proba(tensor.numpy()), expected)


def test_a_mapped_volume_is_read_as_slices_are_taken(tmp_path):
    np.save(tmp_path / "volumes.npy", VOLUMES.images)
    mapped = np.load(tmp_path / "volumes.npy", mmap_mode="r")
    segmenter = SliceWise(small(), random_state=0).fit(mapped, VOLUMES.masks)
    expected = fitted().predict_proba(VOLUMES.images)
    np.testing.assert_array_equal(segmenter.predict_proba(mapped), expected)


def test_files_are_volumes_too(tmp_path):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    images, masks = [], []
    for index, (volume, mask) in enumerate(zip(UNEVEN.images, UNEVEN.masks, strict=True)):
        for values, kind, paths in ((volume, "image", images), (mask, "mask", masks)):
            paths.append(str(tmp_path / f"{kind}{index}.nii.gz"))
            nibabel.save(nibabel.Nifti1Image(values, affine), paths[-1])
    read = [load_image(path).array[..., 0] for path in images]
    assert sorted(read[0].shape) == sorted(UNEVEN.images[0].shape)
    truth = [load_mask(path).array for path in masks]
    settings = {"random_state": 0, "max_slices": 3}
    of_files = SliceWise(small(), **settings).fit(images, [*masks[:5], None])
    of_arrays = SliceWise(small(), **settings).fit(read, [*truth[:5], None])
    pairs = zip(of_files.predict_proba(images), of_arrays.predict_proba(read), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
    assert of_files.score(images, masks) == of_arrays.score(read, truth)
    other = nibabel.Nifti1Image(UNEVEN.masks[0], np.diag([1.0, 2.0, 4.0, 1.0]))
    nibabel.save(other, tmp_path / "elsewhere.nii")
    with pytest.raises(ValueError, match="their affines differ"):
        of_files.fit(images[:1], [str(tmp_path / "elsewhere.nii")])
    png = tmp_path / "flat.png"
    PIL.Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(png)
    with pytest.raises(ValueError, match=r"Image 0.*is one image; expected a volume"):
        of_files.predict([str(png)])


@pytest.mark.parametrize(
    "summarizer", ["threshold", "joint", "mask_features", "pooled", "fully_connected"]
)
def test_volumes_are_classified(summarizer):
    classifier = SegmentationClassifier(SliceWise(small()), summarizer=summarizer, random_state=0)
    classifier.fit(UNEVEN.images, UNEVEN.target, masks=UNEVEN.masks)
    proba = classifier.predict_proba(UNEVEN.images)
    assert proba.shape == (6, 2)
    both = classifier._predict_with_masks(UNEVEN.images)
    np.testing.assert_array_equal(both[0], proba)
    for mask, other in zip(both[1], classifier.predict_masks(UNEVEN.images), strict=True):
        np.testing.assert_array_equal(mask, other)
    np.testing.assert_allclose(classifier.predict_proba([UNEVEN.images[2]])[0], proba[2], atol=1e-7)


def test_the_label_follows_algorithm_1_over_voxels():
    prefit = FrozenEstimator(SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks))
    maps = prefit.predict_proba(VOLUMES.images)[:, 1:]
    n_voxels = (maps >= 0.5).sum(axis=(1, 2, 3, 4))
    area = int(np.median(n_voxels)) + 1
    rule = make_plugin("summarizer", "threshold").set_params(min_area=area, pooling="mean")
    predicted = rule.fit(maps, VOLUMES.target).predict(maps)
    np.testing.assert_array_equal(predicted, n_voxels >= area)
    spaced = rule.set_params(min_area=area * 6.0, spacing=(3.0, 2.0, 1.0)).fit(maps, VOLUMES.target)
    np.testing.assert_array_equal(spaced.predict(maps), n_voxels >= area)


def test_folds_ensembles_and_memory_of_volumes(tmp_path):
    for more in ({"cv": 2}, {"cv": 2, "ensemble": True}, {"memory": str(tmp_path)}):
        classifier = SegmentationClassifier(SliceWise(small()), random_state=0, **more)
        classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)
        assert classifier.predict_masks(VOLUMES.images).shape == VOLUMES.masks.shape


def test_summarizers_that_read_images_alone_say_so_before_anything_is_trained():
    classifier = SegmentationClassifier(SliceWise(small(max_epochs=10**6)), summarizer="resnet50")
    with pytest.raises(ValueError, match="reads maps of images"):
        classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)


def test_masks_of_volumes_are_audited():
    masks = VOLUMES.masks.copy()
    masks[3] = 0  # there is a finding, but nobody drew it
    settings = {"cv": 2, "random_state": 0}
    audit = audit_masks(SliceWise(Recorder()), VOLUMES.images, None, masks, **settings)
    # The same voxels as images: nothing but where they lie is another.
    images, flat = (values.reshape(6, 64, 16) for values in (VOLUMES.images, masks))
    expected = audit_masks(Recorder(), images[..., None], None, flat, **settings)
    np.testing.assert_array_equal(audit.masks[list(expected.masks.dtype.names)], expected.masks)
    in_mm = audit_masks(
        SliceWise(Recorder()), VOLUMES.images, None, masks, spacing=(5, 0.5, 2), **settings
    )
    np.testing.assert_allclose(in_mm.masks["missing"], 5 * audit.masks["missing"])
    assert audit.masks["missing"].max() > 0
    worst = audit.masks[0]
    shown = VOLUMES.images[worst["sample"]].reshape(4, -1)
    assert f"{worst['suspicion']} (slice {worst['slice']})" in str(audit)
    assert 0 <= worst["slice"] < len(shown)


def test_what_shows_images_alone_says_so():
    classifier = SegmentationClassifier(SliceWise(Recorder()), summarizer="threshold")
    classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)
    X, y = VOLUMES.images, VOLUMES.target
    with pytest.raises(ValueError, match=r"SaliencyDisplay shows images, .*MaskDisplay"):
        SaliencyDisplay.from_estimator(classifier, X, y)
    with pytest.raises(ValueError, match="framing_report shows images"):
        framing_report(X, y, None, cost_per_mask=3, cost_per_label=1, segmentation=classifier)


@pytest.mark.parametrize("ask", ["predict", "predict_proba"])
def test_maps_that_do_not_fit_are_refused_after_the_first_slices(ask, monkeypatch):
    segmenter = SliceWise(Recorder()).fit(VOLUMES.images, VOLUMES.masks)
    expected = getattr(segmenter, ask)(VOLUMES.images)
    asked = []
    predict = Recorder.predict_proba
    monkeypatch.setattr(Recorder, "predict_proba", lambda s, X: asked.append(X) or predict(s, X))
    monkeypatch.setattr(maps, "CHECKED_BYTES", expected.nbytes)
    monkeypatch.setattr(maps, "available_memory", lambda: expected.nbytes - 1)
    with pytest.raises(MemoryError, match=f"6 volumes take {expected.nbytes:,} bytes.*_batches"):
        getattr(segmenter, ask)(VOLUMES.images)
    assert len(asked) == 1
    monkeypatch.setattr(maps, "available_memory", lambda: 8 * VOLUMES.images[0].size)
    for rows, each in segmenter.predict_proba_batches(VOLUMES.images):
        np.testing.assert_array_equal(each, segmenter.predict_proba(VOLUMES.images[rows]))
