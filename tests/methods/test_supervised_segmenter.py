import warnings

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import segclf
from segclf import SupervisedSegmenter
from segclf.base import supervise
from segclf.base.class_weight import weights_of_ids
from segclf.data import CopyPaste
from segclf.datasets import make_shapes
from segclf.methods import supervised_segmenter
from segclf.methods.supervised_segmenter import SupervisedSegmentation
from segclf.networks import TinyEncoder
from segclf.objectives import Progress


def segmenter(**changes):
    settings = {"encoder": "tiny", "max_epochs": 25, "learning_rate": 1e-2, "random_state": 0}
    return SupervisedSegmenter(**{**settings, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(48, image_size=32, n_objects=4, target_radius=5, random_state=0)


def test_it_learns_the_shapes(shapes):
    test = make_shapes(24, image_size=32, n_objects=4, target_radius=5, random_state=1)
    assert segmenter().fit(shapes.images, shapes.masks).score(test.images, test.masks) > 0.6


def test_unlabeled_images_and_pixels_cost_nothing(shapes):
    """Masks of -1 train as if those pixels were not there, whatever the images hold."""
    masks = list(shapes.masks[:24].astype(int)) + [None] * 24
    fitted = segmenter(max_epochs=1).fit(shapes.images, masks)
    assert fitted.n_classes_ == 2
    assert np.isfinite(fitted.history_["loss"]).all()


def test_unlabeled_images_are_left_out(shapes):
    part = segmenter(max_epochs=2).fit(shapes.images[:24], shapes.masks[:24])
    masks = [*shapes.masks[:24], *[None] * 24]
    whole = segmenter(max_epochs=2).fit(shapes.images, masks)
    np.testing.assert_array_equal(
        part.predict_proba(shapes.images[:4]), whole.predict_proba(shapes.images[:4])
    )


def test_an_image_labeled_negative_has_an_empty_mask(shapes):
    negatives = np.flatnonzero(shapes.target == 0)[:8]
    fitted = segmenter(max_epochs=8).fit(shapes.images[negatives], None, labels=np.zeros(8, int))
    assert (fitted.predict(shapes.images) == 0).all()


def test_labels_alone_teach_where_there_is_no_mask(shapes):
    fitted = segmenter(max_epochs=1).fit(shapes.images, None, labels=shapes.target)
    assert list(fitted.history_)[2:4] == ["segmentation", "label"]
    assert (fitted.history_["label"] > 0).all()


def test_the_label_term_is_left_out_where_all_masks_are_annotated(shapes):
    fitted = segmenter(max_epochs=1).fit(shapes.images, shapes.masks, labels=shapes.target)
    assert "label" not in fitted.history_


def test_multi_class_ids(shapes):
    masks = shapes.masks.astype(int)
    masks[:, :16][masks[:, :16] == 1] = 2
    fitted = segmenter(max_epochs=1).fit(shapes.images, masks)
    assert fitted.n_classes_ == 3
    proba = fitted.predict_proba(shapes.images[:3])
    assert proba.shape == (3, 3, 32, 32)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)


def test_multilabel_stacks(shapes):
    masks = np.stack([shapes.masks, 1 - shapes.masks], axis=1).astype(int)
    masks[0] = -1
    fitted = segmenter(max_epochs=3).fit(shapes.images, masks)
    assert fitted.multilabel_
    assert fitted.predict(shapes.images[:3]).shape == (3, 2, 32, 32)
    assert set(np.unique(fitted.predict(shapes.images[:3]))) <= {0, 1}


def test_masks_come_back_at_the_own_size(shapes):
    mixed = [image[: 20 + i] for i, image in enumerate(shapes.images[:6])]
    masks = [mask[: 20 + i] for i, mask in enumerate(shapes.masks[:6])]
    fitted = segmenter(max_epochs=1).fit(mixed, masks)
    assert fitted.image_size_ == (22, 32)
    assert [mask.shape for mask in fitted.predict(mixed)] == [image.shape[:2] for image in mixed]


def test_tiles_agree_with_the_whole(shapes):
    fitted = segmenter().fit(shapes.images, shapes.masks)
    large = np.concatenate([shapes.images[:8:2], shapes.images[1:8:2]], axis=1)
    whole = fitted.predict(large)
    tiled = fitted.set_params(tile_size=32).predict(large)
    assert (whole == tiled).mean() > 0.97


def test_class_weight_balances_pixels(shapes):
    weights = segmenter(class_weight="balanced")
    fitted = weights.set_params(max_epochs=1).fit(shapes.images, shapes.masks)
    share = shapes.masks.mean()
    images = fitted._open(shapes.images)
    samples = fitted._check_targets(supervise(shapes.images, images=images, masks=shapes.masks))
    found = weights_of_ids("balanced", samples, fitted.n_classes_)
    np.testing.assert_allclose(found, [0.5 / (1 - share), 0.5 / share], rtol=1e-5)


def test_an_id_that_nobody_annotated_weighs_nothing(shapes):
    """Ids 0 and 3 as if they were 0 and 1, which is what they are."""
    fitted = segmenter(class_weight="balanced", max_epochs=1).fit(shapes.images, 3 * shapes.masks)
    share = shapes.masks.mean()
    images = fitted._open(shapes.images)
    samples = fitted._check_targets(supervise(shapes.images, images=images, masks=3 * shapes.masks))
    expected = [0.5 / (1 - share), 0, 0, 0.5 / share]
    found = weights_of_ids("balanced", samples, fitted.n_classes_)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [1e-3, 1 / 16, np.full(16, 5.0)])
def test_constant_weights_change_no_bit(shapes, weight):
    images, masks = shapes.images[:16], shapes.masks[:16]
    settings = {"loss": "dice", "max_epochs": 2}
    expected = segmenter(**settings).fit(images, masks).predict_proba(images)
    weighed = segmenter(**settings).fit(images, masks, sample_weight=weight)
    np.testing.assert_array_equal(weighed.predict_proba(images), expected)


def test_wrong_class_weight_says_what_is_expected(shapes):
    with pytest.raises(ValueError, match="has 3 weights; expected one for each of the 2 mask ids"):
        segmenter(class_weight=[1, 2, 3]).fit(shapes.images, shapes.masks)


def test_missing_targets_say_so(shapes):
    with pytest.raises(ValueError, match="requires y to be passed"):
        segmenter().fit(shapes.images, None)


def test_labels_and_masks_must_be_of_one_kind(shapes):
    with pytest.raises(ValueError, match="do not match masks that are exclusive ids"):
        segmenter().fit(shapes.images, shapes.masks, labels=np.zeros((48, 2), int))


def test_a_mask_of_another_size_is_named(shapes):
    masks = list(shapes.masks)
    masks[3] = masks[3][:-1]
    with pytest.raises(ValueError, match="3"):
        segmenter().fit(shapes.images, masks)


def test_sample_weights_reach_both_terms():
    class Fixed(torch.nn.Module):
        def forward(self, image):
            return image

    batch = {
        "image": torch.randn(3, 2, 4, 4),
        "mask": torch.stack([torch.zeros(4, 4), torch.ones(4, 4), -torch.ones(4, 4)]).long(),
        "label": torch.tensor([-1, -1, 1]),
        "weight": torch.tensor([1.0, 0.0, 1.0]),
    }
    objective = SupervisedSegmentation(
        Fixed(), loss="cross_entropy", class_weight=None, label_weight=2.0
    )
    terms = objective(batch, Progress(0, 0, 0.0))
    first = {name: values[:1] for name, values in batch.items() if name in ("image", "mask")}
    alone = objective(first, Progress(0, 0, 0.0))
    torch.testing.assert_close(terms["segmentation"], alone["segmentation"])
    assert terms["label"] > 0


@pytest.mark.parametrize("multilabel", [False, True])
def test_hypercolumn_starts_from_the_share_of_findings(shapes, multilabel, tmp_path):
    masks = shapes.masks
    if multilabel:
        masks = np.stack([masks == 1, masks == 0], axis=1).astype(int)
    fitted = segmenter(
        architecture="hypercolumn", encoder_rate=0, learning_rate=1e-9, max_steps=1
    ).fit(shapes.images, masks)
    share = (shapes.masks == 1).mean()
    bias = fitted.network_.head.bias.detach()
    found = bias.sigmoid()[0] if multilabel else bias.softmax(0)[1]
    assert found.item() == pytest.approx(share, rel=1e-3)
    segclf.save(fitted, tmp_path / "fitted.segclf")
    again = segclf.load(tmp_path / "fitted.segclf")
    np.testing.assert_array_equal(
        again.predict_proba(shapes.images[:2]), fitted.predict_proba(shapes.images[:2])
    )


def test_hypercolumn_learns_on_a_random_encoder(shapes):
    """Frozen, so that what is learned is the head's."""
    test = make_shapes(24, image_size=32, n_objects=4, target_radius=5, random_state=1)
    fitted = segmenter(architecture="hypercolumn", encoder_rate=0, augmentation="flips")
    assert fitted.fit(shapes.images, shapes.masks).score(test.images, test.masks) > 0.2


@pytest.mark.parametrize(
    ("n_positive", "fraction", "expected"),
    [
        (2, 0.25, 0.25),
        (2, 0.5, 0.5),
        (2, 0.0, 2 / 32),
        (8, 0.25, 8 / 32),
        (0, 0.25, 0.0),
        (2, "auto", 0.5),
        (8, "auto", 8 / 32),
    ],
)
def test_few_positives_come_more_often(n_positive, fraction, expected, monkeypatch):
    """Where there are enough, or none, images come as they are."""
    masks = np.zeros((32, 16, 16), int)
    masks[:n_positive, 4:8, 4:8] = 1
    seen = []
    forward = SupervisedSegmentation.forward

    def watched(self, batch, progress):
        seen.extend(batch["index"].tolist())
        return forward(self, batch, progress)

    monkeypatch.setattr(SupervisedSegmentation, "forward", watched)
    segmenter = SupervisedSegmenter(
        encoder="tiny", max_epochs=30, random_state=0, positive_fraction=fraction, precision="fp32"
    )
    with warnings.catch_warnings(action="ignore"):
        segmenter.fit(np.random.default_rng(0).uniform(size=(32, 16, 16, 1)), masks)
    shown = (np.array(seen) < n_positive).mean()
    assert shown == pytest.approx(expected, abs=0.04)
    as_they_come = expected == n_positive / 32
    assert (np.ptp(np.bincount(seen, minlength=32)) <= 1) == as_they_come


def test_dedl_s_loss():
    """The cross-entropy of the scores, and that of what the autoencoder makes of them."""
    torch.manual_seed(0)
    network, autoencoder = torch.nn.Conv2d(3, 2, 1), torch.nn.Linear(5, 5)
    image, mask = torch.rand(2, 3, 4, 5), torch.randint(2, (2, 4, 5))

    def terms(autoencoder):
        objective = SupervisedSegmentation(
            network,
            loss="cross_entropy",
            class_weight=None,
            label_weight=1.0,
            autoencoder=autoencoder,
            autoencoder_weight=1.0,
        )
        return objective({"image": image, "mask": mask}, Progress(0, 0, 0.0))

    found, scores = terms(autoencoder), network(image)
    torch.testing.assert_close(found["segmentation"], cross_entropy(scores, mask))
    torch.testing.assert_close(found["autoencoder"], cross_entropy(autoencoder(scores), mask))
    twice = terms(torch.nn.Identity())
    assert torch.equal(twice["autoencoder"], twice["segmentation"])


def test_an_autoencoder_learns_beside_the_network(shapes, tmp_path):
    def fitted(**changes):
        given = segmenter(max_epochs=2, loss="cross_entropy", **changes)
        return given.fit(shapes.images[:8], shapes.masks[:8])

    plain, dedl = fitted(), fitted(autoencoder_weight=1.0)
    assert "autoencoder" not in plain.history_
    assert (dedl.history_["autoencoder"] > 0).all()
    assert dedl.network_.recipe == plain.network_.recipe
    answers = [each.predict_proba(shapes.images[:4]) for each in (plain, dedl)]
    assert not np.array_equal(*answers), "its gradients reach the network"
    segclf.save(dedl, tmp_path / "dedl")
    again = segclf.load(tmp_path / "dedl")
    assert again.autoencoder_weight == 1.0
    np.testing.assert_array_equal(again.predict_proba(shapes.images[:4]), answers[1])


@pytest.mark.parametrize("multilabel", [False, True])
def test_an_autoencoder_has_its_own_rate_and_the_width_of_crops(shapes, multilabel, monkeypatch):
    made = []

    class Kept(SupervisedSegmentation):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(supervised_segmenter, "SupervisedSegmentation", Kept)
    masks = np.stack([shapes.masks, 1 - shapes.masks], axis=1) if multilabel else shapes.masks
    segmenter(max_steps=1, crop_size=(20, 12), autoencoder_weight=0.5).fit(shapes.images, masks)
    autoencoder = made[0].autoencoder
    assert (autoencoder.width, autoencoder.rectified) == (12, not multilabel)
    *others, last = made[0].parameter_groups()
    assert last["rate"] == pytest.approx(1e-3 / 3.6e-4)
    assert {*last["params"]} == {*autoencoder.parameters()}
    rest = {each for group in others for each in group["params"]}
    assert rest == {*made[0].network.parameters()}


@pytest.mark.parametrize("encoder_rate", [0, 1])
def test_copy_paste_trains_on_pasted_images(encoder_rate, monkeypatch):
    given, paste = [], CopyPaste.__call__

    def watched(self, batch, generator):
        pasted = paste(self, batch, generator)
        given.append((pasted["image"] != batch["image"]).any().item())
        return pasted

    monkeypatch.setattr(CopyPaste, "__call__", watched)
    shapes = make_shapes(12, image_size=16, n_objects=2, target_radius=3, random_state=0)
    settings = {"encoder": "tiny", "max_epochs": 2, "random_state": 0, "encoder_rate": encoder_rate}
    plain, first, second = (
        SupervisedSegmenter(copy_paste=p, **settings).fit(shapes.images, shapes.masks)
        for p in (0.0, 0.8, 0.8)
    )
    assert any(given)
    ours, theirs = first.predict_proba(shapes.images), second.predict_proba(shapes.images)
    np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(ours, plain.predict_proba(shapes.images))


def test_copy_paste_keeps_no_maps(monkeypatch):
    seen, forward = [], TinyEncoder.forward

    def counted(self, image):
        if torch.is_grad_enabled():  # in training
            seen.append(len(image))
        return forward(self, image)

    monkeypatch.setattr(TinyEncoder, "forward", counted)
    shapes = make_shapes(8, image_size=16, n_objects=2, random_state=0)
    settings = {"encoder": "tiny", "max_epochs": 3, "encoder_rate": 0}
    for copy_paste, n_encoded in ((0.0, 8), (0.5, 24)):
        seen.clear()
        SupervisedSegmenter(copy_paste=copy_paste, **settings).fit(shapes.images, shapes.masks)
        assert sum(seen) == n_encoded
