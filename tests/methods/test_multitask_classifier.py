import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

from segclf import ImageClassifier, MultitaskClassifier, SimSiamPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy
from segclf.methods.multitask_classifier import Multitask
from segclf.networks import MultitaskNetwork, segmentation_network
from segclf.objectives import Progress

TINY = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}
NOW = Progress(0, 0, 0.0)


def classifier(**changes):
    return MultitaskClassifier(**{**TINY, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(40, image_size=32, n_objects=3, target_radius=8, random_state=0)


def objective(**changes):
    torch.manual_seed(0)
    network = MultitaskNetwork(segmentation_network(encoder="tiny"), n_labels=2)
    settings = {
        "mask_loss": "cross_entropy",
        "label_loss": "cross_entropy",
        "mask_weight": 1.0,
        "label_weight": 1.0,
        "class_weight": None,
    }
    return Multitask(network, **{**settings, **changes})


def batch():
    torch.manual_seed(1)
    mask = torch.randint(0, 2, (4, 8, 8))
    mask[2:] = -1
    target = torch.tensor([0, 1, 1, -1])
    return {"image": torch.rand(4, 3, 8, 8), "mask": mask, "target": target}


def largest_gradients(trained):
    """Of the encoder, of the decoder with its head, and of the image head."""
    sum(trained(batch(), NOW).values()).backward()
    segmentation = trained.network.segmentation
    parts = {
        "encoder": [segmentation.encoder],
        "decoder": [segmentation.decoder, segmentation.head],
        "label_head": [trained.network.label_head],
    }
    return {
        part: max(p.grad.abs().max() for module in modules for p in module.parameters())
        for part, modules in parts.items()
    }


class TwoMaps(torch.nn.Module):
    """In place of a network: known scores."""

    def both(self, image):
        pixels = torch.tensor([[[[0.0, 2.0]], [[0.0, 0.0]]], [[[5.0, 5.0]], [[5.0, 5.0]]]])
        return pixels, torch.tensor([[1.0, 0.0], [0.0, 0.0]])


def test_loss_by_hand():
    toy = {
        "image": torch.zeros(2, 1, 1, 2),
        "mask": torch.tensor([[[1, 0]], [[-1, -1]]]),
        "target": torch.tensor([0, 1]),
    }
    trained = objective(mask_weight=3.0, label_weight=0.5)
    trained.network = TwoMaps()
    terms = trained(toy, NOW)
    pixels = (np.log(2) + np.log(1 + np.exp(-2))) / 2
    images = (np.log(1 + np.exp(-1)) + np.log(2)) / 2
    assert terms["segmentation"].item() == pytest.approx(3 * pixels, rel=1e-6)
    assert terms["classification"].item() == pytest.approx(0.5 * images, rel=1e-6)
    toy["weight"] = torch.tensor([1.0, 3.0])
    images = (np.log(1 + np.exp(-1)) + 3 * np.log(2)) / 4
    assert trained(toy, NOW)["classification"].item() == pytest.approx(0.5 * images, rel=1e-6)


def test_each_weight_of_zero_leaves_its_head_without_gradient():
    both = largest_gradients(objective())
    assert min(both.values()) > 0
    masks = largest_gradients(objective(label_weight=0.0))
    assert masks["label_head"] == 0
    assert min(masks["encoder"], masks["decoder"]) > 0
    labels = largest_gradients(objective(mask_weight=0.0))
    assert labels["decoder"] == 0
    assert min(labels["encoder"], labels["label_head"]) > 0


def test_the_encoder_follows_both():
    gradients = []
    for changes in ({}, {"label_weight": 0.0}, {"mask_weight": 0.0}):
        trained = objective(**changes)
        sum(trained(batch(), NOW).values()).backward()
        gradients.append(trained.network.segmentation.encoder.stages[0][0].weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1] + gradients[2])


def test_without_labels_it_is_the_segmenter(shapes):
    segmenter = SupervisedSegmenter(**TINY).fit(shapes.images, shapes.masks)
    both = classifier(label_weight=0.0).fit(shapes.images, shapes.target, masks=shapes.masks)
    np.testing.assert_array_equal(
        both.predict_mask_proba(shapes.images), segmenter.predict_proba(shapes.images)
    )
    np.testing.assert_array_equal(
        both.predict_masks(shapes.images), segmenter.predict(shapes.images)
    )
    np.testing.assert_array_equal(both.history_["segmentation"], segmenter.history_["segmentation"])


def test_without_a_weight_masks_do_not_matter(shapes):
    first, second = (
        classifier(mask_weight=0.0).fit(shapes.images, shapes.target, masks=masks)
        for masks in (shapes.masks, shapes.masks[:, ::-1])
    )
    probabilities = first.predict_proba(shapes.images)
    np.testing.assert_array_equal(second.predict_proba(shapes.images), probabilities)
    with_masks = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    assert not np.array_equal(with_masks.predict_proba(shapes.images), probabilities)


def test_it_learns_both(shapes):
    test = make_shapes(60, image_size=32, n_objects=3, target_radius=8, random_state=1)
    settings = {"max_epochs": 40, "schedule": "one_cycle"}
    trained = classifier(**settings).fit(shapes.images, shapes.target, masks=shapes.masks)
    assert roc_auc_score(test.target, trained.predict_proba(test.images)[:, 1]) > 0.9
    predicted = trained.predict_masks(test.images)
    overlap = (predicted & test.masks).sum() / (predicted | test.masks).sum()
    assert overlap > 0.5
    assert predicted.dtype == np.uint8


def test_what_nobody_said_teaches_nothing(shapes):
    """An image without label and mask is as good as absent; -1 and None are the same."""
    labeled = np.arange(40) < 30
    labels = np.where(labeled, shapes.target, -1)
    none = [mask if labeled[i] else None for i, mask in enumerate(shapes.masks)]
    void = np.where(labeled[:, None, None], shapes.masks.astype(int), -1)
    part = classifier().fit(shapes.images[:30], shapes.target[:30], masks=shapes.masks[:30])
    expected = part.predict_proba(shapes.images)
    for masks in (none, void):
        whole = classifier().fit(shapes.images, labels, masks=masks)
        np.testing.assert_array_equal(whole.predict_proba(shapes.images), expected)


def test_any_mixture_of_supervision():
    """A mask without its label teaches the decoder alone, a label without its mask the head."""
    label_alone, mask_alone = batch(), batch()
    label_alone["mask"][:] = -1
    mask_alone["target"][:] = -1
    terms = objective()(label_alone, NOW)
    assert terms["segmentation"] == 0
    assert terms["classification"] > 0
    terms = objective()(mask_alone, NOW)
    assert terms["segmentation"] > 0
    assert terms["classification"] == 0


def test_a_negative_image_has_an_empty_mask(shapes):
    """Given or not; with negative_class=None it shows a region that nobody drew."""
    positive = shapes.target == 1
    some = [mask if positive[i] else None for i, mask in enumerate(shapes.masks)]
    given, free = (
        classifier().fit(shapes.images, shapes.target, masks=masks)
        for masks in (shapes.masks, some)
    )
    np.testing.assert_array_equal(
        free.predict_mask_proba(shapes.images), given.predict_mask_proba(shapes.images)
    )
    second = [None if mask is None else 2 * mask for mask in some]
    own = classifier(negative_class=None).fit(shapes.images, shapes.target, masks=second)
    assert own.n_mask_classes_ == 3
    assert free.n_mask_classes_ == 2


def test_labels_alone(shapes):
    trained = classifier().fit(shapes.images, np.where(shapes.target, "yes", "no"))
    assert set(trained.predict(shapes.images)) <= {"yes", "no"}
    assert trained.predict_masks(shapes.images).shape == shapes.masks.shape


def test_multilabel(shapes):
    labels = np.stack([shapes.target, 1 - shapes.target, shapes.spurious], axis=1)
    masks = np.ones((40, 3, 32, 32), dtype=int) * labels[..., None, None]
    trained = classifier().fit(shapes.images, labels, masks=masks)
    assert trained.predict_proba(shapes.images).shape == (40, 3)
    assert trained.predict_masks(shapes.images).shape == masks.shape
    assert set(np.unique(trained.predict(shapes.images))) <= {0, 1}
    with pytest.raises(ValueError, match=r"labels of shape \(40, 3\) do not match masks"):
        classifier().fit(shapes.images, labels, masks=shapes.masks)


def test_masks_of_images_of_several_sizes(shapes):
    images = [shapes.images[0], shapes.images[1, 12:], shapes.images[2], shapes.images[3, :, :25]]
    masks = [shapes.masks[0], shapes.masks[1, 12:], None, shapes.masks[3, :, :25]]
    trained = classifier().fit(images, [0, 1, 0, 0], masks=masks)
    predicted = trained.predict_masks(images)
    assert [mask.shape for mask in predicted] == [image.shape[:2] for image in images]
    with pytest.raises(ValueError, match="Mask 1 has 32 x 32 pixels, its image 20 x 32"):
        classifier().fit(images, [0, 1, 0, 1], masks=[None, shapes.masks[1], None, None])


@pytest.mark.parametrize("weighting", [{0: 1.0, 1: 5.0}, "balanced"])
def test_weights_of_classes_reach_the_labels(shapes, weighting):
    y = np.where(np.arange(40) < 5, 1, 0)
    masks = np.broadcast_to(y[:, None, None], (40, 32, 32))
    losses = [
        classifier(max_epochs=1, batch_size=40, class_weight=weights)
        .fit(shapes.images, y, masks=masks)
        .history_
        for weights in (None, weighting)
    ]
    assert losses[0]["segmentation"] == losses[1]["segmentation"]
    assert losses[0]["classification"] != losses[1]["classification"]


def test_stage_one_of_y_net(shapes):
    """Segmenter first, both heads after: encoder and decoder are handed on."""
    segmenter = SupervisedSegmenter(**TINY).fit(shapes.images, shapes.masks)
    trained = classifier(pretrainer=FrozenEstimator(segmenter), encoder_rate=0)
    trained.fit(shapes.images, shapes.target, masks=shapes.masks)
    assert trained.transferred_["new"] == trained.transferred_["unused"] == {}
    for name, tensor in segmenter.network_.encoder.state_dict().items():
        assert torch.equal(trained.network_.segmentation.encoder.state_dict()[name], tensor)


def test_handed_on_to_both_kinds(shapes):
    source = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    settings = {**TINY, "pretrainer": FrozenEstimator(source)}
    segmenter = SupervisedSegmenter(**settings).fit(shapes.images, shapes.masks)
    assert segmenter.transferred_["new"] == {}
    plain = ImageClassifier(**settings).fit(shapes.images, shapes.target)
    assert set(plain.transferred_["new"]) == {"head.weight", "head.bias"}


def test_a_pretrainer_takes_its_encoder(shapes):
    trained = classifier(pretrainer=SimSiamPretrainer(max_epochs=1))
    trained.fit(shapes.images[:8], shapes.target[:8], masks=shapes.masks[:8])
    assert trained.pretrainer_.encoder == "tiny"


def test_losses_may_be_functions(shapes):
    named = classifier(mask_loss="cross_entropy").fit(shapes.images, shapes.target)
    given = classifier(mask_loss=cross_entropy).fit(shapes.images, shapes.target)
    np.testing.assert_array_equal(given.history_["loss"], named.history_["loss"])
