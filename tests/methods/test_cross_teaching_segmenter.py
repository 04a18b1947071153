import numpy as np
import pytest
import timm
import torch
from encoded import count_encoded
from monai.losses import DiceLoss
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from torch.nn.functional import cross_entropy

from segclf import (
    CASSPretrainer,
    CrossTeachingSegmenter,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.base import PretrainedWeightsWarning
from segclf.data import MixingSampler, RedNormalizer
from segclf.datasets import make_shapes
from segclf.methods.cross_teaching_segmenter.objective import (
    CrossTeaching,
    class_dice,
    pseudo_masks,
    risen,
)
from segclf.networks import SegmentationPair, TinyEncoder, segmentation_network
from segclf.networks.vit_unet import ViTEncoder
from segclf.objectives import Progress
from segclf.training.schedules import SCHEDULES

SHAPES = make_shapes(24, image_size=32, n_objects=4, target_radius=5, random_state=0)
FEW = [mask if i < 4 else None for i, mask in enumerate(SHAPES.masks.astype(int))]
MONAI = DiceLoss(
    softmax=True,
    to_onehot_y=True,
    squared_pred=True,
    batch=True,
    smooth_nr=1e-5,
    smooth_dr=1e-5,
)


def segmenter(**changes):
    settings = {
        "cnn": "tiny",
        "transformer": "tiny_vit",
        "transformer_architecture": "vit_unet",
        "max_epochs": 1,
        "learning_rate": 1e-2,
        "precision": "fp32",
        "random_state": 0,
    }
    return CrossTeachingSegmenter(**{**settings, **changes})


def networks(n_classes=3):
    return [
        segmentation_network(architecture=architecture, encoder=encoder, n_classes=n_classes)
        for architecture, encoder in (("unet", "tiny"), ("vit_unet", "tiny_vit"))
    ]


def objective(n_classes=3, multilabel=False, **changes):
    settings = {
        "consistency_weight": 1.0,
        "ramp_up": None,
        "label_weight": 1.0,
    }
    pair = SegmentationPair(*networks(n_classes), multilabel=multilabel)
    return CrossTeaching(pair, **{**settings, **changes})


def mixed_batch():
    """Two images with a mask, then three without."""
    masks = torch.randint(0, 3, (5, 12, 9))
    masks[2:] = -1
    return {"image": torch.rand(5, 3, 12, 9), "mask": masks}


@pytest.fixture
def seen(monkeypatch):
    """For each image of each batch of training, whether it has a mask."""
    batches = []
    forward = CrossTeaching.forward

    def watched(self, batch, progress):
        batches.append((batch["mask"] >= 0).flatten(1).any(1).tolist())
        return forward(self, batch, progress)

    monkeypatch.setattr(CrossTeaching, "forward", watched)
    return batches


def test_the_six_values_of_the_ramp():
    steps = (0, 1500, 5000, 9999, 15_000, 30_000)
    weights = [0.1 * risen(step, 30_000) for step in steps]
    expected = [0.000674, 0.001097, 0.003062, 0.010598, 0.02865, 0.1]
    np.testing.assert_allclose(weights, expected, atol=5e-7)
    assert [risen(step, 30_000) for step in (149, 45_000)] == [risen(0, 30_000), 1.0]
    assert risen(0, None) == 1.0


def test_dice_is_that_of_monai():
    logits, target = torch.randn(4, 3, 9, 7), torch.randint(0, 3, (4, 9, 7))
    torch.testing.assert_close(class_dice(logits, target), MONAI(logits, target[:, None]))
    target[target == 2] = 0  # an absent class counts, too
    torch.testing.assert_close(class_dice(logits, target), MONAI(logits, target[:, None]))


def test_terms_by_hand():
    trained, batch = objective(consistency_weight=0.1, ramp_up=30_000), mixed_batch()
    terms = trained(batch, Progress(1, 9999, 0.5))
    logits = {name: part(batch["image"]) for name, part in trained.network.named_children()}
    for learner, teacher in (("cnn", "transformer"), ("transformer", "cnn")):
        logits_labeled, truth = logits[learner][:2], batch["mask"][:2]
        halves = (MONAI(logits_labeled, truth[:, None]) + cross_entropy(logits_labeled, truth)) / 2
        torch.testing.assert_close(terms[f"{learner}_segmentation"], halves)
        predicted = logits[teacher][2:].argmax(1)[:, None]
        expected = 0.1 * risen(9999, 30_000) * MONAI(logits[learner][2:], predicted)
        torch.testing.assert_close(terms[f"{learner}_consistency"], expected)
    assert len(terms) == 4


@pytest.mark.parametrize(("learner", "teacher"), [("cnn", "transformer"), ("transformer", "cnn")])
@pytest.mark.parametrize("term", ["segmentation", "consistency"])
def test_no_gradient_reaches_the_teacher(learner, teacher, term):
    trained = objective()
    trained(mixed_batch(), Progress(0, 0, 0.0))[f"{learner}_{term}"].backward()
    gradients = [p.grad for p in trained.network.get_submodule(learner).parameters()]
    assert sum(float(g.abs().sum()) for g in gradients if g is not None) > 0
    assert all(p.grad is None for p in trained.network.get_submodule(teacher).parameters())


def test_pseudo_masks_are_decisions_where_nobody_said_anything():
    logits = torch.randn(3, 4, 5, 6, requires_grad=True)
    mask = torch.full((3, 5, 6), -1)
    mask[1, 2, 3] = 0
    predicted = pseudo_masks(logits, mask)
    assert not predicted.requires_grad
    torch.testing.assert_close(predicted[[0, 2]], logits.argmax(1)[[0, 2]])
    assert (predicted[1] == -1).all()


def test_pseudo_masks_of_several_labels_go_by_channel():
    logits, mask = torch.randn(2, 3, 5, 6), torch.full((2, 3, 5, 6), -1)
    mask[0, 1] = 1
    predicted = pseudo_masks(logits, mask)
    assert (predicted[0, 1] == -1).all()
    expected = (logits.sigmoid() >= 0.5).long()
    torch.testing.assert_close(predicted[1], expected[1])
    torch.testing.assert_close(predicted[0, [0, 2]], expected[0, [0, 2]])


def test_weight_of_zero_leaves_an_image_out_of_both_terms():
    trained, batch = objective(), mixed_batch()
    light = {**batch, "weight": torch.tensor([1.0, 0, 1, 1, 0])}
    kept = {name: values[[0, 2, 3]] for name, values in batch.items()}
    terms, expected = (trained(each, Progress(0, 0, 0.0)) for each in (light, kept))
    for name in expected:
        torch.testing.assert_close(terms[name], expected[name])


@pytest.mark.parametrize(("n_labeled", "n_unlabeled"), [(None, 8), (15, 1), (3, 13)])
def test_batches_of_two_streams(seen, n_labeled, n_unlabeled):
    segmenter(n_labeled=n_labeled).fit(SHAPES.images, FEW)
    batch = [True] * (16 - n_unlabeled) + [False] * n_unlabeled
    assert seen == [batch] * (-(-20 // n_unlabeled))


def test_an_image_labeled_negative_is_in_the_labeled_stream(seen):
    labels = np.where(np.arange(24) < 6, 0, np.where(np.arange(24) < 9, 1, -1))
    fitted = segmenter(batch_size=4).fit(SHAPES.images, None, labels=labels)
    assert all(each == [True, True, False, False] for each in seen)
    assert (fitted.history_["cnn_label"] > 0).all()
    assert (fitted.history_["transformer_label"] > 0).all()


def test_all_images_labeled(seen):
    fitted = segmenter(max_epochs=2).fit(SHAPES.images, SHAPES.masks)
    assert seen == [[True] * 12] * 4
    for learner in ("cnn", "transformer"):
        assert (fitted.history_[f"{learner}_consistency"] == 0).all()
        assert (fitted.history_[f"{learner}_segmentation"] > 0).all()


def test_a_sampler_of_ones_own(seen):
    sampler = MixingSampler(np.arange(24) < 4, probability=1.0)
    segmenter().fit(SHAPES.images, FEW, sampler=sampler)
    assert all(all(each) for each in seen)


def test_held_out_images_are_labeled_ones():
    fitted = segmenter(validation_fraction=0.5, max_epochs=2).fit(SHAPES.images, FEW)
    assert (fitted.history_["validation_cnn_segmentation"] > 0).all()
    assert (fitted.history_["validation_cnn_consistency"] == 0).all()
    assert (fitted.history_["cnn_consistency"] > 0).all()


def test_no_labeled_image_is_an_error():
    with pytest.raises(ValueError, match="None of the 24 images has a mask"):
        segmenter().fit(SHAPES.images, None, labels=np.ones(24, dtype=int))


def test_more_labeled_images_than_a_batch_holds_is_an_error():
    with pytest.raises(ValueError, match="n_labeled=9 is more than batch_size=8"):
        segmenter(n_labeled=9, batch_size=8).fit(SHAPES.images, FEW)


def test_unlabeled_images_change_what_is_learned():
    alone, taught = (
        segmenter(consistency_weight=weight).fit(SHAPES.images, FEW).predict_proba(SHAPES.images)
        for weight in (0.0, 1.0)
    )
    assert not np.array_equal(alone, taught)


def test_it_learns_from_few_masks():
    test = make_shapes(24, image_size=32, n_objects=4, target_radius=5, random_state=1)
    masks = [mask if i < 12 else None for i, mask in enumerate(SHAPES.masks)]
    tiny = {"transformer": "tiny", "transformer_architecture": "unet", "predict_with": "mean"}
    learner = segmenter(**tiny, max_epochs=30, batch_size=8, schedule="constant")
    fitted = learner.fit(SHAPES.images, masks)
    assert fitted.score(test.images, test.masks) > 0.3


@pytest.mark.parametrize("multilabel", [False, True])
def test_predict_with(multilabel):
    masks = FEW
    if multilabel:
        masks = [None if mask is None else np.stack([mask, 1 - mask]) for mask in FEW]
    cnn, transformer, mean = (
        segmenter(predict_with=which).fit(SHAPES.images, masks).predict_proba(SHAPES.images)
        for which in ("cnn", "transformer", "mean")
    )
    assert not np.array_equal(cnn, transformer)
    np.testing.assert_allclose(mean, (cnn + transformer) / 2, atol=1e-6)


def test_predict_with_may_be_set_after_fit(tmp_path):
    fitted = segmenter().fit(SHAPES.images, FEW)
    for which in ("transformer", "mean", "cnn"):
        expected = segmenter(predict_with=which).fit(SHAPES.images, FEW)
        fitted.set_params(predict_with=which)
        expected = expected.predict_proba(SHAPES.images)
        np.testing.assert_array_equal(fitted.predict_proba(SHAPES.images), expected)
        save(fitted, tmp_path / "saved")
        np.testing.assert_array_equal(
            load(tmp_path / "saved").predict_proba(SHAPES.images), expected
        )
    fitted.set_params(predict_with="both of them")
    for ask in (fitted.predict, fitted.embed_batches):
        with pytest.raises(
            ValueError, match=r"The 'predict_with' parameter .* must be a str among"
        ):
            list(ask(SHAPES.images))


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
def test_a_pretrainer_of_two_networks_starts_both():
    pretrainer = CASSPretrainer(keep="both", n_outputs=16, max_epochs=1)
    fitted = segmenter(pretrainer=pretrainer, encoder_rate=0, predict_with="mean")
    fitted.fit(SHAPES.images, FEW)
    pair, given = fitted.network_, fitted.pretrainer_.network_
    assert (fitted.pretrainer_.cnn, fitted.pretrainer_.transformer) == ("tiny", "tiny_vit")
    for ours, theirs in (
        (pair.cnn.encoder, given.cnn.encoder),
        (pair.transformer.encoder.model, given.transformer.encoder),
    ):
        tensors = theirs.state_dict()
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in ours.state_dict().items())
    assert {name.split(".")[0] for name in fitted.transferred_["taken"]} == {"cnn", "transformer"}


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize(("encoder", "filled"), [(None, "cnn"), ("tiny_vit", "transformer")])
def test_a_pretrainer_of_one_encoder_starts_the_network_that_has_it(encoder, filled):
    pretrainer = SimSiamPretrainer(encoder=encoder, max_epochs=1)
    fitted = segmenter(pretrainer=pretrainer).fit(SHAPES.images, FEW)
    assert {name.split(".")[0] for name in fitted.transferred_["taken"]} == {filled}
    other = {"cnn": "transformer", "transformer": "cnn"}[filled]
    reasons = [why for name, why in fitted.transferred_["new"].items() if name.startswith(other)]
    assert "has the encoder" in reasons[0]


def test_a_pretrainer_of_another_encoder_is_an_error():
    other = SupervisedSegmenter(encoder="mobilenet_v2", max_epochs=1).fit(
        SHAPES.images[:2], SHAPES.masks[:2]
    )
    with pytest.raises(ValueError, match=r"this one 'tiny'.*this one 'tiny_vit'"):
        segmenter(pretrainer=FrozenEstimator(other)).fit(SHAPES.images, FEW)


def test_both_networks_are_handed_on():
    given = segmenter(predict_with="mean").fit(SHAPES.images, FEW)
    for encoder, architecture in (("tiny", "unet"), ("tiny_vit", "vit_unet")):
        taker = SupervisedSegmenter(
            architecture=architecture,
            encoder=encoder,
            pretrainer=FrozenEstimator(given),
            max_epochs=1,
        )
        assert taker.fit(SHAPES.images, SHAPES.masks).transferred_["new"] == {}


@pytest.mark.filterwarnings("ignore::segclf.base.ShortcutWarning")
def test_inside_a_classifier_labels_take_part():
    classifier = SegmentationClassifier(segmenter=segmenter(label_weight=1.0), random_state=0)
    fitted = classifier.fit(SHAPES.images, SHAPES.target, masks=FEW)
    assert "cnn_label" in fitted.segmenter_.history_
    assert fitted.predict_proba(SHAPES.images).shape == (24, 2)


def test_behind_the_papers_normalization_of_red():
    pipeline = make_pipeline(RedNormalizer(), segmenter()).fit(SHAPES.images, FEW)
    assert pipeline.predict(SHAPES.images).shape == (24, 32, 32)
    assert pipeline[-1].n_channels_ == 1


def test_the_papers_networks_take_images_of_any_size():
    images = np.random.default_rng(0).random((2, 35, 50, 1))
    segmenter = CrossTeachingSegmenter(
        batch_size=2,
        max_epochs=1,
        precision="fp32",
        predict_with="mean",
        transformer_weights=None,
    )
    segmenter.fit(images, [np.ones((35, 50), int), None])
    assert segmenter.predict(images).shape == (2, 35, 50)


def test_decoders_may_be_smaller():
    narrow = segmenter(
        transformer="tiny",
        transformer_architecture="unet",
        cnn_decoder_channels=(8, 4, 4),
        transformer_decoder_channels=(6, 4, 2),
        predict_with="mean",
    ).fit(SHAPES.images, FEW)
    recipes = [narrow.network_.recipe[kind] for kind in ("cnn", "transformer")]
    assert [recipe["decoder_channels"] for recipe in recipes] == [[8, 4, 4], [6, 4, 2]]


def test_s4mi_s_setting():
    paper = CrossTeachingSegmenter.as_in_s4mi(cnn="tiny", max_epochs=2)
    rates = [3.6e-4 * SCHEDULES[paper.schedule](fraction) for fraction in (0.0, 0.5, 1.0)]
    assert paper.learning_rate == 3.6e-4
    assert rates == pytest.approx([3.6e-4, 3.5e-4, 3.4e-4], rel=1e-12)
    assert (paper.image_size, paper.batch_size, paper.weight_decay) == (224, 16, 1e-5)
    assert (paper.cnn, paper.max_epochs) == ("tiny", 2), "what is given counts"
    turns = paper.augmentation
    assert (turns.horizontal_flip, turns.vertical_flip, turns.rotation) == (0.5, 0.5, 20.0)


def test_s4mi_s_setting_is_kept(tmp_path):
    tiny = {"cnn": "tiny", "transformer": "tiny_vit", "transformer_architecture": "vit_unet"}
    paper = CrossTeachingSegmenter.as_in_s4mi(**tiny, image_size=32, max_epochs=1, random_state=0)
    fitted = clone(paper).fit(SHAPES.images, FEW)
    save(fitted, tmp_path / "fitted")
    again = load(tmp_path / "fitted")
    assert again.schedule == "shallow_cosine"
    assert again.chosen_ == {"transformer_weights": None}
    np.testing.assert_array_equal(again.predict(SHAPES.images), fitted.predict(SHAPES.images))


VIT = {"transformer": "test_vit", "transformer_architecture": "vit_unet", "max_steps": 1}


def test_the_transformer_starts_from_imagenet_s_weights_where_they_are(monkeypatch, tmp_path):
    theirs = timm.create_model("test_vit").state_dict()
    save_file(theirs, tmp_path / "test_vit.safetensors")
    monkeypatch.setenv("SEGCLF_WEIGHTS", str(tmp_path))
    fitted = segmenter(**VIT, learning_rate=1e-9).fit(SHAPES.images, FEW)
    assert fitted.chosen_ == {"transformer_weights": "imagenet"}
    assert fitted.weights_["name"] == "imagenet"
    ours = fitted.pair_.transformer.encoder.model.state_dict()
    for name in ("blocks.0.attn.qkv.weight", "norm.bias"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)
    scratch = segmenter(**VIT, transformer_weights=None).fit(SHAPES.images, FEW)
    assert scratch.chosen_ == {}
    assert not hasattr(scratch, "weights_")


def test_where_they_are_not_it_says_so_and_downloads_nothing(monkeypatch):
    from segclf.methods.cross_teaching_segmenter import segmenter as module

    monkeypatch.setattr(module, "weights_at_hand", lambda *names: False)
    with pytest.warns(PretrainedWeightsWarning, match="test_vit are not on this machine"):
        fitted = segmenter(**VIT).fit(SHAPES.images, FEW)
    assert fitted.chosen_ == {"transformer_weights": None}
    explicit = segmenter(**VIT, transformer_weights=None).fit(SHAPES.images, FEW)
    np.testing.assert_array_equal(
        fitted.predict_proba(SHAPES.images), explicit.predict_proba(SHAPES.images)
    )


@pytest.mark.parametrize("augmentation", [None, "flips"])
def test_frozen_encoders_see_each_image_once(augmentation, monkeypatch):
    """Each of the two; and once more two at a time, as every segmenter looks at its result."""
    encoded = count_encoded(monkeypatch, TinyEncoder, ViTEncoder)
    segmenter(encoder_rate=0, max_epochs=5, augmentation=augmentation).fit(SHAPES.images, FEW)
    assert encoded == {"TinyEncoder": len(SHAPES.images), "ViTEncoder": len(SHAPES.images)}
