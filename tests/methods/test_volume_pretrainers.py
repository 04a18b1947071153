"""Pretrainers of volumes: they learn, and what they learned arrives."""

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

import segclf
from segclf import (
    BYOLPretrainer,
    DINOPretrainer,
    ImageClassifier,
    MAEPretrainer,
    MoCoPretrainer,
    OtsuPretrainer,
    SegmentationClassifier,
    SimMIMPretrainer,
    SimSiamPretrainer,
    SupervisedSegmenter,
)
from segclf.datasets import make_shapes
from segclf.methods.mae_pretrainer import VolumeMAE, blocks
from segclf.methods.otsu_pretrainer.threshold_masks import threshold_masks
from segclf.networks import MaskedVolumes, classification_network
from segclf.networks.masked_volumes import visible_maps
from segclf.registry import make_plugin

SETTINGS = {"image_size": 16, "n_objects": 2, "target_radius": 4, "background_radius": 3}
VOLUMES = make_shapes(8, depth=8, random_state=0, **SETTINGS)
LEARNS = {"batch_size": 4, "max_epochs": 6, "learning_rate": 3e-3, "random_state": 0}
STRIDES = [[1, 2, 2], [2, 2, 2]]


def still(pretrainer):
    """Let it see what it saw in the epoch before, so that its loss says what it learned."""
    return pretrainer.set_params(augmentation=segclf.data.Augmentation(brightness=0.1))


PRETRAINERS = [
    OtsuPretrainer(encoder="tiny3d", **LEARNS),
    MAEPretrainer(encoder="tiny3d", mask_ratio=0.5, schedule="constant", **LEARNS),
    still(
        SimSiamPretrainer(
            encoder="tiny3d", projection_size=32, prediction_size=16, optimizer="adam", **LEARNS
        )
    ),
]


def by_name(estimator):
    return type(estimator).__name__


def segmenter(**parameters):
    settings = {"architecture": "unet3d", "encoder": "tiny3d", "max_epochs": 1}
    return SupervisedSegmenter(**{**settings, "random_state": 0, **parameters})


def encoder_of(estimator):
    return estimator.network_.encoder.state_dict()


@pytest.fixture(scope="module", params=PRETRAINERS, ids=by_name)
def fitted(request):
    return request.param.fit(VOLUMES.images)


def test_the_loss_falls(fitted):
    losses = fitted.history_["loss"]
    assert np.mean(losses[-2:]) < np.mean(losses[:2]) - 0.01
    assert fitted.transform(VOLUMES.images).shape == (8, 32)
    assert fitted.network_.recipe["encoder_strides"] == STRIDES


@pytest.mark.parametrize("kind", [segmenter, ImageClassifier], ids=["segmenter", "classifier"])
def test_the_encoder_starts_where_it_ended(fitted, kind):
    parameters = {"encoder": "tiny3d", "max_steps": 1, "learning_rate": 1e-12, "weight_decay": 0.0}
    estimator = kind(pretrainer=FrozenEstimator(fitted), **parameters)
    y = VOLUMES.target if kind is ImageClassifier else VOLUMES.masks
    estimator.fit(VOLUMES.images, y)
    for name, tensor in encoder_of(fitted).items():
        assert f"encoder.{name}" in estimator.transferred_["taken"]
        torch.testing.assert_close(encoder_of(estimator)[name], tensor, atol=1e-6, rtol=1e-4)


def test_it_is_saved_and_loaded(fitted, tmp_path):
    segclf.save(fitted, tmp_path / "pretrainer")
    again = segclf.load(tmp_path / "pretrainer")
    expected = fitted.transform(VOLUMES.images)
    np.testing.assert_array_equal(again.transform(VOLUMES.images), expected)
    from_file = segmenter(pretrainer=str(tmp_path / "pretrainer"))
    assert from_file.fit(VOLUMES.images, VOLUMES.masks).transferred_["taken"]


@pytest.mark.parametrize(
    "pretrainer",
    [
        OtsuPretrainer(max_epochs=1, batch_size=4),
        OtsuPretrainer(max_epochs=1, batch_size=4, train="end_to_end"),
        MAEPretrainer(max_epochs=1, batch_size=4),
        SimSiamPretrainer(max_epochs=1, batch_size=4, projection_size=8, prediction_size=4),
    ],
    ids=["otsu", "otsu end to end", "mae", "simsiam"],
)
def test_what_it_leaves_open_is_the_segmenters(pretrainer):
    whole = segmenter(pretrainer=pretrainer, encoder_strides=[[2, 2, 2], [1, 2, 2]], max_steps=1)
    classifier = SegmentationClassifier(whole, random_state=0)
    classifier.fit(VOLUMES.images, VOLUMES.target, masks=VOLUMES.masks)
    fitted = classifier.segmenter_
    recipe = fitted.pretrainer_.network_.recipe
    assert recipe["encoder"] == "tiny3d"
    assert recipe["encoder_strides"] == [[2, 2, 2], [1, 2, 2]]
    names = {name.partition(".")[0] for name in fitted.transferred_["taken"]}
    end_to_end = getattr(pretrainer, "train", None) == "end_to_end"
    assert ("decoder" in names) == end_to_end
    assert "encoder" in names


def test_an_encoder_of_other_strides_is_no_start():
    pretrainer = MAEPretrainer(encoder="tiny3d", encoder_strides=[[2, 2, 2]], max_epochs=1)
    fitted = FrozenEstimator(pretrainer.fit(VOLUMES.images))
    with pytest.raises(ValueError, match=r"has encoder_strides=\[\[2, 2, 2\]\], this one"):
        segmenter(pretrainer=fitted).fit(VOLUMES.images, VOLUMES.masks)


def test_otsu_segments_volumes_without_a_mask():
    settings = {"train": "end_to_end", "loss": "dice_cross_entropy", "n_iter_no_change": None}
    pretrainer = OtsuPretrainer(encoder="tiny3d", **{**LEARNS, "max_epochs": 12}, **settings)
    masks = pretrainer.fit(VOLUMES.images).predict(VOLUMES.images)
    thresholded = threshold_masks(
        make_plugin("thresholder", "otsu"), pretrainer._open(VOLUMES.images), None
    )
    assert segclf.metrics.dice_score(thresholded, masks, n_classes=2, n_spatial=3) > 0.8
    assert pretrainer.predict_proba(VOLUMES.images).shape == (8, 2, 8, 16, 16)


def test_a_volume_has_one_threshold_and_neighborhoods_are_of_slices():
    images = segclf.data.as_images(VOLUMES.images, n_spatial=3)
    otsu, adaptive = (make_plugin("thresholder", each) for each in ("otsu", "adaptive_mean"))
    planes = VOLUMES.images.astype(np.float32) / 255
    of_volume = threshold_masks(otsu, images, None)
    for mask, volume in zip(of_volume, planes, strict=True):
        np.testing.assert_array_equal(mask, otsu(volume.reshape(-1, 16)).reshape(volume.shape))
    of_slices = threshold_masks(adaptive, images, None)
    np.testing.assert_array_equal(of_slices[2], adaptive.transform(planes[2]))
    half = threshold_masks(lambda gray: gray > 0.5, images, (4, 8, 8))
    assert half.shape == (8, 4, 8, 8)
    with pytest.raises(ValueError, match="for sample 0; expected a mask, bool of shape"):
        threshold_masks(lambda gray: gray, images, None)


@pytest.mark.parametrize("encoder", ["tiny3d", "dynunet"])
def test_nothing_that_is_hidden_is_seen(encoder):
    network = classification_network(
        encoder=encoder, in_channels=1, n_classes=0, encoder_strides=STRIDES
    )
    painter = MaskedVolumes(network)
    volume = torch.rand(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    hidden = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    hidden[:, 1, :2] = hidden[:, 0, 3] = True
    expected = painter(network.encoder, volume, hidden)
    where = hidden.repeat_interleave(2, 1).repeat_interleave(4, 2).repeat_interleave(4, 3)
    changed = torch.where(where[:, None], torch.rand(()), volume)
    torch.testing.assert_close(painter(network.encoder, changed, hidden), expected)
    assert expected.shape == volume.shape


@pytest.mark.parametrize("encoder", ["tiny3d", "dynunet"])
def test_where_nothing_is_hidden_maps_are_the_encoders(encoder):
    network = classification_network(
        encoder=encoder, in_channels=2, n_classes=0, encoder_strides=STRIDES
    )
    volume = torch.rand(2, 2, 4, 16, 16)
    visible = torch.ones(2, 1, 2, 4, 4, dtype=torch.bool)
    found = visible_maps(network.encoder, volume, visible)
    for one, other in zip(found, network.encoder(volume), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_normalizations_look_at_what_is_visible():
    norm = torch.nn.GroupNorm(2, 4)

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = norm

        def blocks(self):
            return [self.norm]

    volume = torch.rand(1, 4, 2, 4, 4)
    visible = torch.ones(1, 1, 2, 1, 1, dtype=torch.bool)
    visible[:, :, 1] = False
    found = visible_maps(Encoder(), volume, visible)[1]
    torch.testing.assert_close(found[:, :, :1], norm(volume[:, :, :1]))
    assert not found[:, :, 1:].any()


def test_the_error_is_that_of_hidden_blocks():
    network = classification_network(
        encoder="tiny3d", in_channels=1, n_classes=0, encoder_strides=STRIDES
    )
    mae = VolumeMAE(network, mask_ratio=0.5, normalize_pixels=False)
    torch.nn.init.zeros_(mae.painter.head.weight)
    torch.nn.init.zeros_(mae.painter.head.bias)
    view = torch.rand(2, 1, 3, 10, 16)
    torch.manual_seed(0)
    loss = mae({"view_0": view}, None)["reconstruction"]
    padded = torch.nn.functional.pad(view, (0, 0, 0, 2, 0, 1), mode="replicate")
    cut = blocks(padded, (2, 4, 4))
    assert cut.shape == (2, 2 * 3 * 4, 32)
    torch.manual_seed(0)
    _, masked = mae.sample(2, 24, view.device)
    hidden = torch.stack([each[rows] for each, rows in zip(cut, masked, strict=True)])
    torch.testing.assert_close(loss, hidden.square().mean())
    mae.normalize_pixels = True
    assert 0.8 < mae({"view_0": view}, None)["reconstruction"] <= 1  # unbiased: 31 of 32


@pytest.mark.parametrize(
    "kind", [BYOLPretrainer, DINOPretrainer, MoCoPretrainer, SimMIMPretrainer], ids=str
)
def test_others_say_what_pretrains_volumes(kind):
    said = f"{kind.__name__} reads images, but encoder='tiny3d' is for volumes.*MAEPretrainer, Otsu"
    with pytest.raises(ValueError, match=said):
        kind(encoder="tiny3d").fit(VOLUMES.images)
    with pytest.raises(ValueError, match=said):
        segmenter(pretrainer=kind()).fit(VOLUMES.images, VOLUMES.masks)
