"""SupervisedSegmenter and ImageClassifier of volumes."""

import pickle
import sys

import nibabel
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import segclf
from segclf import (
    CASSPretrainer,
    ConsistencySegmenter,
    CrossTeachingSegmenter,
    DistilledSegmenter,
    ImageClassifier,
    MaskScorer,
    MultitaskClassifier,
    PiCIESegmenter,
    PretrainedEncoder,
    SegmentationClassifier,
    SliceWise,
    SupervisedSegmenter,
    WeakToStrongSegmenter,
)
from segclf.base.spatial import n_spatial
from segclf.data import MaskCleaner, with_spacing
from segclf.data.resize import resize_image, resize_maps
from segclf.datasets import make_shapes
from segclf.metrics import dice_score

SETTINGS = {"image_size": 16, "n_objects": 2, "target_radius": 4, "background_radius": 3}
VOLUMES = make_shapes(6, depth=8, random_state=0, **SETTINGS)
UNEVEN = make_shapes(5, depth=(5, 9), random_state=0, **SETTINGS)


def small(max_epochs=1, **parameters):
    settings = {"architecture": "unet3d", "encoder": "tiny3d", "max_epochs": max_epochs}
    return SupervisedSegmenter(**{**settings, "random_state": 0, **parameters})


def tensors(estimator):
    return estimator.network_.state_dict().values()


FITTED = small(8, learning_rate=1e-2).fit(VOLUMES.images, VOLUMES.masks)


def test_it_learns_to_segment_volumes():
    assert FITTED.score(VOLUMES.images, VOLUMES.masks) > 0.5
    assert FITTED.predict(VOLUMES.images).shape == (6, 8, 16, 16)
    probabilities = FITTED.predict_proba(VOLUMES.images)
    assert probabilities.shape == (6, 2, 8, 16, 16)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("architecture", ["unet3d", "dynunet"])
def test_the_architecture_brings_its_encoder(architecture):
    segmenter = SupervisedSegmenter(architecture=architecture, max_steps=1, random_state=0)
    assert n_spatial(segmenter) == 3
    segmenter.fit(VOLUMES.images, VOLUMES.masks)
    expected = {"unet3d": "residual3d", "dynunet": "dynunet"}[architecture]
    assert segmenter.chosen_["encoder"] == expected == segmenter.network_.recipe["encoder"]
    assert segmenter.chosen_["batch_size"] == 2


def test_the_encoder_brings_an_architecture():
    segmenter = SupervisedSegmenter(encoder="tiny3d", max_steps=1, random_state=0)
    assert n_spatial(segmenter) == 3
    segmenter.fit(VOLUMES.images, VOLUMES.masks)
    assert segmenter.chosen_["architecture"] == "unet3d"


def test_strides_follow_the_shape_or_are_said():
    assert FITTED.network_.recipe["encoder_strides"] == [[1, 2, 2], [2, 2, 2]]
    said = small(encoder_strides=((2, 2, 2), (1, 2, 2))).fit(VOLUMES.images, VOLUMES.masks)
    assert said.network_.recipe["encoder_strides"] == [[2, 2, 2], [1, 2, 2]]
    one = small(encoder_depth=1).fit(VOLUMES.images, VOLUMES.masks)
    assert one.network_.recipe["encoder_strides"] == [[1, 2, 2]]


def test_the_same_seed_gives_the_same_bits_and_company_does_not_matter():
    again = small(8, learning_rate=1e-2).fit(VOLUMES.images, VOLUMES.masks)
    for one, other in zip(tensors(FITTED), tensors(again), strict=True):
        assert torch.equal(one, other)
    together = FITTED.predict_proba(VOLUMES.images)
    alone = np.concatenate([FITTED.predict_proba(each[None]) for each in VOLUMES.images])
    np.testing.assert_array_equal(together, alone)


def test_volumes_of_several_sizes_are_brought_to_their_median():
    segmenter = small().fit(UNEVEN.images, UNEVEN.masks)
    depths = [len(each) for each in UNEVEN.images]
    assert segmenter.image_size_ == (int(np.median(depths)), 16, 16)
    maps = segmenter.predict_proba(UNEVEN.images)
    assert [each.shape for each in maps] == [(2, depth, 16, 16) for depth in depths]
    assert 0 <= segmenter.score(UNEVEN.images, UNEVEN.masks) <= 1


def test_what_volumes_are_may_be_said_in_many_ways():
    expected = FITTED.predict(VOLUMES.images)
    as_list = FITTED.predict(list(VOLUMES.images))
    as_tensor = FITTED.predict(torch.from_numpy(VOLUMES.images)[:, None])
    np.testing.assert_array_equal(as_list, expected)
    np.testing.assert_array_equal(as_tensor, expected)


def test_multilabel_masks_and_labels_without_masks_teach():
    masks = [np.stack([mask == 0, mask > 0]).astype(np.uint8) for mask in VOLUMES.masks]
    segmenter = small().fit(VOLUMES.images, masks)
    assert segmenter.multilabel_
    assert segmenter.predict(VOLUMES.images).shape == (6, 2, 8, 16, 16)
    labels = VOLUMES.target
    partly = [None if n % 2 else mask for n, mask in enumerate(VOLUMES.masks)]
    segmenter = small(label_weight=1.0).fit(VOLUMES.images, partly, labels=labels)
    assert "label" in segmenter.history_


@pytest.mark.parametrize("monitor", ["loss", "iou", "auroc"])
def test_held_out_volumes_tell_the_best_epoch(monitor):
    segmenter = small(2, monitor=monitor, n_iter_no_change=5)
    segmenter.fit(
        VOLUMES.images, VOLUMES.masks, X_val=VOLUMES.images, y_val=VOLUMES.masks, labels=None
    )
    assert np.isfinite(segmenter.history_[f"validation_{monitor}"]).all()


def test_it_goes_through_files_copies_and_searches(tmp_path):
    expected = FITTED.predict_proba(VOLUMES.images)
    segclf.save(FITTED, tmp_path / "model")
    for other in (segclf.load(tmp_path / "model"), pickle.loads(pickle.dumps(FITTED))):
        np.testing.assert_array_equal(other.predict_proba(VOLUMES.images), expected)
    assert clone(FITTED).get_params() == FITTED.get_params()
    search = GridSearchCV(small(), {"learning_rate": [1e-3, 1e-2]}, cv=2)
    search.fit(VOLUMES.images, VOLUMES.masks)
    assert search.best_estimator_.predict(VOLUMES.images).shape == (6, 8, 16, 16)
    pipeline = make_pipeline(FunctionTransformer(), small()).fit(VOLUMES.images, VOLUMES.masks)
    assert n_spatial(pipeline) == 3
    assert 0 <= MaskScorer(dice_score)(pipeline, VOLUMES.images, VOLUMES.masks) <= 1


def test_it_goes_on_from_where_it_was():
    segmenter = small(1, warm_start=True).fit(VOLUMES.images, VOLUMES.masks)
    segmenter.set_params(max_epochs=2).fit(VOLUMES.images, VOLUMES.masks)
    assert segmenter.n_iter_ == 2


def test_a_checkpoint_ends_as_an_uninterrupted_fit(tmp_path):
    segmenter = small(2, checkpoint=tmp_path).fit(VOLUMES.images, VOLUMES.masks)
    plain = small(2).fit(VOLUMES.images, VOLUMES.masks)
    for one, other in zip(tensors(segmenter), tensors(plain), strict=True):
        assert torch.equal(one, other)


def test_masks_of_volumes_are_cleaned_and_flips_averaged():
    cleaner = MaskCleaner(n_spatial=3, min_size=10_000)
    segmenter = clone(FITTED).set_params(post_processing=cleaner, max_epochs=1)
    assert not segmenter.fit(VOLUMES.images, VOLUMES.masks).predict(VOLUMES.images).any()
    flipped = pickle.loads(pickle.dumps(FITTED)).set_params(test_time_flips="quarter_turns")
    maps = flipped.predict_proba(VOLUMES.images)
    turned = flipped.predict_proba(np.ascontiguousarray(np.rot90(VOLUMES.images, axes=(2, 3))))
    np.testing.assert_allclose(np.rot90(maps, axes=(3, 4)), turned, atol=1e-5)


@pytest.mark.parametrize("summarizer", ["threshold", "joint", "mask_features"])
def test_volumes_are_classified_by_their_masks(summarizer):
    classifier = SegmentationClassifier(small(4, learning_rate=1e-2), summarizer=summarizer)
    classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)
    assert classifier.predict_proba(VOLUMES.images).shape == (6, 2)
    assert classifier.predict_masks(VOLUMES.images).shape == (6, 8, 16, 16)


def test_layers_are_maps_of_volumes():
    shapes = {
        layer: next(FITTED.embed_batches(VOLUMES.images, layer))[1].shape[1:]
        for layer in ("deep", "shallow", "local")
    }
    assert shapes["deep"] == (32, 4, 4, 4)
    assert shapes["shallow"] == (8, 8, 16, 16)
    assert len(shapes["local"]) == 4


def test_labels_of_volumes_are_learned_directly():
    classifier = ImageClassifier(
        encoder="tiny3d", max_steps=30, learning_rate=3e-3, batch_size=4, random_state=0
    )
    volumes = make_shapes(12, depth=8, random_state=1, **SETTINGS)
    classifier.fit(volumes.images, volumes.target)
    probabilities = classifier.predict_proba(volumes.images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert classifier.score(volumes.images, volumes.target) > 0.7
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(volumes.images), probabilities)


def test_one_network_names_volumes_and_segments_them(tmp_path):
    settings = {"encoder": "tiny3d", "max_epochs": 20, "learning_rate": 1e-2, "random_state": 0}
    classifier = MultitaskClassifier(**settings)
    labels = VOLUMES.target
    masks = [m if y else None for m, y in zip(VOLUMES.masks, labels, strict=True)]
    classifier.fit(VOLUMES.images, labels, masks=masks)
    assert n_spatial(classifier) == 3
    assert classifier.network_.segmentation.recipe["architecture"] == "unet3d"
    assert classifier.predict_proba(VOLUMES.images).shape == (6, 2)
    found = classifier.predict_masks(VOLUMES.images)
    positive = np.flatnonzero(labels)
    assert dice_score(VOLUMES.masks[positive], found[positive], n_spatial=3) > 0.5
    assert classifier.predict_mask_proba(VOLUMES.images).shape == (6, 2, 8, 16, 16)
    segclf.save(classifier, tmp_path / "model")
    again = segclf.load(tmp_path / "model").predict_masks(VOLUMES.images)
    np.testing.assert_array_equal(again, found)
    started = MultitaskClassifier(**settings, pretrainer=FrozenEstimator(FITTED))
    started.set_params(max_epochs=1).fit(VOLUMES.images, labels, masks=masks)
    assert not any(name.startswith("encoder") for name in started.transferred_["new"])


@pytest.mark.parametrize(
    "estimator",
    [
        CASSPretrainer(cnn="tiny3d"),
        ConsistencySegmenter(encoder="tiny3d"),
        ConsistencySegmenter(architecture="unet3d"),
        CrossTeachingSegmenter(cnn="tiny3d"),
        PiCIESegmenter(encoder="tiny3d"),
        PretrainedEncoder(encoder="tiny3d"),
        WeakToStrongSegmenter(encoder="tiny3d"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_reads_images_says_so(estimator):
    name = type(estimator).__name__
    with pytest.raises(ValueError, match=f"{name} reads images, but .*3d' is for volumes"):
        estimator.fit(VOLUMES.images, VOLUMES.target)


@pytest.mark.parametrize(
    "estimator",
    [SliceWise(small()), DistilledSegmenter(small())],
    ids=lambda each: type(each).__name__,
)
def test_what_has_images_for_its_segmenter_refuses_one_of_volumes(estimator):
    with pytest.raises(
        ValueError, match=r"SupervisedSegmenter reads volumes, but .* passes images"
    ):
        estimator.fit(VOLUMES.images, VOLUMES.masks)


def test_images_and_volumes_do_not_go_together():
    with pytest.raises(ValueError, match=r"'unet3d' reads volumes, and encoder='tiny' images"):
        small(encoder="tiny").fit(VOLUMES.images, VOLUMES.masks)
    with pytest.raises(ValueError, match=r"encoder_strides=.* reads images, and has no such"):
        SupervisedSegmenter(encoder="tiny", encoder_strides=((2, 2, 2),), max_epochs=1).fit(
            VOLUMES.images[:, 0], VOLUMES.masks[:, 0]
        )
    with pytest.raises(ValueError, match=r"Image 0|X has shape"):
        small().fit(VOLUMES.images[:, 0], VOLUMES.masks[:, 0])


def test_a_saved_model_says_that_it_needs_monai(tmp_path, monkeypatch):
    segmenter = SupervisedSegmenter(architecture="dynunet", max_steps=1, random_state=0)
    segclf.save(segmenter.fit(VOLUMES.images, VOLUMES.masks), tmp_path / "model")
    segclf.load(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ImportError, match=r"pip install 'segclf\[monai\]'"):
        segclf.load(tmp_path / "model")


def test_dice_of_volumes_is_counted_in_voxels():
    masks = FITTED.predict(VOLUMES.images)
    ours = dice_score(VOLUMES.masks, masks, n_classes=2, n_spatial=3)
    both = ((masks == 1) & (VOLUMES.masks == 1)).sum()
    assert ours == pytest.approx(2 * both / ((masks == 1).sum() + (VOLUMES.masks == 1).sum()))


def test_it_learns_from_parts_of_volumes_of_several_sizes():
    segmenter = small(10, crop_size=(4, 12, 12), finding_fraction=0.5, learning_rate=1e-2)
    segmenter.fit(UNEVEN.images, UNEVEN.masks)
    assert segmenter.image_size_ is None
    assert segmenter.network_.recipe["encoder_strides"] == [[1, 2, 2], [1, 1, 1]]
    maps = segmenter.predict_proba(UNEVEN.images)
    assert [each.shape[1:] for each in maps] == [each.shape for each in UNEVEN.images]
    masks = segmenter.predict(UNEVEN.images)
    assert all((m == p.argmax(0)).all() for m, p in zip(masks, maps, strict=True))
    assert segmenter.score(UNEVEN.images, UNEVEN.masks) > 0.2
    again = small(10, crop_size=(4, 12, 12), finding_fraction=0.5, learning_rate=1e-2)
    again.fit(UNEVEN.images, UNEVEN.masks)
    for one, other in zip(tensors(segmenter), tensors(again), strict=True):
        assert torch.equal(one, other)


def test_held_out_volumes_are_looked_at_in_parts():
    segmenter = small(2, crop_size=(4, 8, 8), monitor="iou", n_iter_no_change=3)
    segmenter.fit(
        UNEVEN.images[:3], UNEVEN.masks[:3], X_val=UNEVEN.images[3:], y_val=UNEVEN.masks[3:]
    )
    assert len(segmenter.history_["validation_iou"]) == 2


@pytest.mark.parametrize("monitor", ["auroc", "balanced_accuracy"])
def test_labels_of_held_out_parts_tell_no_best_epoch(monitor):
    segmenter = small(crop_size=(4, 8, 8), monitor=monitor, validation_fraction=0.5)
    with pytest.raises(ValueError, match=f"monitor='{monitor}' needs labels of whole volumes"):
        segmenter.fit(VOLUMES.images, VOLUMES.masks, labels=VOLUMES.target)


def test_a_crop_has_a_length_for_each_axis():
    with pytest.raises(ValueError, match=r"crop_size=\(8, 8\); .* \(slices, height, width\)"):
        small(crop_size=(8, 8)).fit(VOLUMES.images, VOLUMES.masks)
    with pytest.raises(ValueError, match=r"tile_size=\(8, 8\); .* \(slices, height, width\)"):
        pickle.loads(pickle.dumps(FITTED)).set_params(tile_size=(8, 8)).predict(VOLUMES.images)


def test_windows_change_little_of_what_is_predicted():
    windows = pickle.loads(pickle.dumps(FITTED)).set_params(tile_size=(8, 12, 12))
    whole, tiled = FITTED.predict(VOLUMES.images), windows.predict(VOLUMES.images)
    assert (whole == tiled).mean() > 0.95


def test_volumes_of_one_spacing_give_what_resampled_ones_give():
    """Each second slice left out: as given, and as if somebody had resampled before."""
    images, masks = VOLUMES.images[:, ::2], VOLUMES.masks[:, ::2]
    given = with_spacing(images, (2.0, 1.0, 1.0))
    segmenter = small(2, spacing=(1.0, 1.0, 1.0)).fit(given, masks)
    # as after to_float, so that the network sees the same numbers
    grown = np.stack(
        [resize_image(each[..., None] / np.float32(255), (8, 16, 16)) for each in images]
    )
    grown = with_spacing(grown, (1.0, 1.0, 1.0))
    plain = small(2).fit(grown, np.repeat(masks, 2, axis=1))
    probabilities = segmenter.predict_proba(given)
    assert probabilities.shape == (6, 2, 4, 16, 16)
    expected = resize_maps(torch.from_numpy(plain.predict_proba(grown)), (4, 16, 16))
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    np.testing.assert_array_equal(segmenter.predict(given), probabilities.argmax(axis=1))


def test_strides_follow_the_spacing():
    given = with_spacing(VOLUMES.images, (4.0, 1.0, 1.0))
    strides = small().fit(given, VOLUMES.masks).network_.recipe["encoder_strides"]
    assert strides == [[1, 2, 2], [1, 2, 2], [2, 1, 1]]


def test_volumes_of_several_spacings_are_learned_from_in_parts(tmp_path):
    spacings = [(1.0 + n, 1.0, 1.0) for n in range(len(UNEVEN.images))]
    given = with_spacing(UNEVEN.images, spacings)
    settings = {"crop_size": (8, 8, 8), "spacing": (2.0, 1.0, 1.0)}
    segmenter = small(2, checkpoint=tmp_path / "run", **settings).fit(given, UNEVEN.masks)
    masks = segmenter.predict(given)
    assert [each.shape for each in masks] == [each.shape for each in UNEVEN.images]
    segclf.save(segmenter, tmp_path / "model")
    for one, other in zip(segclf.load(tmp_path / "model").predict(given), masks, strict=True):
        np.testing.assert_array_equal(one, other)
    search = GridSearchCV(small(**settings), {"learning_rate": [1e-3]}, cv=2)
    search.fit(given, UNEVEN.masks)
    assert np.isfinite(search.best_score_)


def test_files_say_their_spacing(tmp_path):
    paths = []
    for number, volume in enumerate(VOLUMES.images):
        paths.append(tmp_path / f"{number}.nii.gz")
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        nibabel.Nifti1Image(volume.transpose(2, 1, 0), affine).to_filename(paths[-1])
    segmenter = small(spacing=(4.0, 1.0, 1.0), crop_size=(4, 16, 16))
    masks = segmenter.fit(paths, [np.flip(mask, 1) for mask in VOLUMES.masks]).predict(paths)
    assert masks.shape == (6, 8, 16, 16)


@pytest.mark.parametrize(
    ("settings", "spacings", "said"),
    [
        ({"spacing": (1, 1, 1)}, None, r"of Image 0 is unknown\. Give files .*with_spacing"),
        ({"spacing": (1, 1)}, (1, 1, 1), r"spacing=\(1, 1\); expected the distance of slices"),
        ({"spacing": (1, 1, 1), "image_size": 16}, (1, 1, 1), "expected only one of them"),
        ({"spacing": (1, 1, 1)}, [(1 + n, 1, 1) for n in range(6)], r"Set crop_size, such as \("),
    ],
)
def test_spacing_is_never_ignored(settings, spacings, said):
    volumes = VOLUMES.images if spacings is None else with_spacing(VOLUMES.images, spacings)
    with pytest.raises(ValueError, match=said):
        small(**settings).fit(volumes, VOLUMES.masks)


def test_spacing_is_of_volumes():
    with pytest.raises(ValueError, match=r"spacing=\(1, 1, 1\) is for volumes, but X holds images"):
        SupervisedSegmenter(encoder="tiny", spacing=(1, 1, 1)).fit(
            VOLUMES.images[:, 0], VOLUMES.masks[:, 0]
        )


def test_findings_are_pasted_into_other_volumes():
    segmenter = small(copy_paste=1.0, batch_size=3).fit(VOLUMES.images, VOLUMES.masks)
    plain = small(batch_size=3).fit(VOLUMES.images, VOLUMES.masks)
    assert segmenter.history_["loss"] != plain.history_["loss"]


def test_pasting_needs_three_volumes_in_a_batch():
    with pytest.raises(ValueError, match=r"Batches have 2; expected at least batch_size=3 and 3"):
        small(copy_paste=0.5).fit(VOLUMES.images, VOLUMES.masks)
    with pytest.raises(ValueError, match=r"copy_paste=0.5 needs .* Batches have 2"):
        small(copy_paste=0.5, batch_size=3).fit(VOLUMES.images[:2], VOLUMES.masks[:2])


def test_an_autoencoder_of_rows_reads_images():
    with pytest.raises(ValueError, match="the autoencoder processes rows; expected 0"):
        small(autoencoder_weight=1.0).fit(VOLUMES.images, VOLUMES.masks)


def test_a_network_of_volumes_is_no_graph(tmp_path):
    with pytest.raises(TypeError, match="reads volumes; expected an estimator of images"):
        segclf.export_onnx(FITTED, tmp_path / "model.onnx")
