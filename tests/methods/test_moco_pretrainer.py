import math

import numpy as np
import pytest
import torch
from lightly.loss import NTXentLoss
from torch import nn
from torch.nn.functional import normalize

from segclf import MoCoPretrainer, SupervisedSegmenter
from segclf.data import Augmentation
from segclf.datasets import make_shapes
from segclf.methods import moco_pretrainer
from segclf.methods.moco_pretrainer import MoCo, info_nce
from segclf.networks import classification_network
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)


def pretrainer(**changes):
    settings = {
        "encoder": "tiny",
        "projection_size": 16,
        "batch_size": 8,
        "max_epochs": 2,
        "random_state": 0,
    }
    return MoCoPretrainer(**{**settings, **changes})


def objective(**changes):
    torch.manual_seed(0)
    network = classification_network(encoder="tiny", n_classes=0)
    settings = {
        "head": "mlp",
        "projection_size": 4,
        "temperature": 0.2,
        "momentum": 0.9,
        "queue_size": 10,
    }
    return MoCo(network, **{**settings, **changes})


def two_views(n_images=6):
    images = {f"view_{i}": torch.rand(n_images, 3, 8, 8) for i in range(2)}
    return images | {"index": torch.arange(n_images)}


def directions(n, d=5):
    return normalize(torch.randn(n, d), dim=1)


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(24, image_size=16, n_objects=2, target_radius=4, random_state=0)


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
@pytest.mark.parametrize("n_negatives", [1, 7, 4096])
def test_equal_similarities_cost_the_logarithm_of_their_number(n_negatives, temperature):
    same = directions(1)
    loss = info_nce(
        same.expand(3, -1),
        same.expand(3, -1),
        same.expand(n_negatives, -1),
        temperature=temperature,
    )
    assert loss.item() == pytest.approx(math.log(1 + n_negatives), rel=1e-5)


def test_one_opposite_negative_by_hand():
    """Similarities 1 and -1 at temperature .5: ln(1 + exp(-4))."""
    query = directions(3)
    loss = info_nce(query[:1], query[:1], -query[:1], temperature=0.5)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-4)), rel=1e-5)


def test_loss_is_lightlys():
    query, key = directions(6), directions(6)
    theirs = NTXentLoss(temperature=0.2, memory_bank_size=(11, 5))
    negatives = theirs.memory_bank.bank.clone()
    expected = theirs(query.clone().requires_grad_(), key)
    torch.testing.assert_close(info_nce(query, key, negatives, temperature=0.2), expected)


def test_similarities_are_in_single_precision_under_autocast():
    query, key, negatives = directions(4, 64), directions(4, 64), directions(9, 64)
    expected = info_nce(query, key, negatives, temperature=0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = info_nce(query, key, negatives, temperature=0.07)
    assert torch.equal(loss, expected)


def test_the_term_compares_queries_with_keys_and_the_queue():
    moco, batch = objective(), two_views()
    query = normalize(moco.projector(moco.network(batch["view_0"])), dim=1)
    key = normalize(moco.key_encoder(batch["view_1"]), dim=1)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ moco.queue.T], dim=1) / 0.2
    expected = (logits.logsumexp(1) - logits[:, 0]).mean()
    torch.testing.assert_close(moco(batch, START)["contrast"], expected)


def test_the_key_encoder_has_no_gradient_and_follows():
    moco = objective()
    moco(two_views(), START)["contrast"].backward()
    assert all(parameter.grad is None for parameter in moco.key_encoder.parameters())
    assert sum(p.grad.abs().sum() for p in moco.network.parameters()) > 0
    trained = {id(p) for group in moco.parameter_groups() for p in group["params"]}
    assert trained.isdisjoint(map(id, moco.key_encoder.parameters()))
    assert not moco.queue.requires_grad
    before = [parameter.clone() for parameter in moco.key_encoder.parameters()]
    with torch.no_grad():
        for parameter in [*moco.network.parameters(), *moco.projector.parameters()]:
            parameter.add_(1.0)
    moco.after_update(START)
    for old, new in zip(before, moco.key_encoder.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def fed(queue_size, n_keys):
    """The numbers of the keys in the queue, which came in batches of `n_keys`; -1 where none is."""
    moco = objective(projection_size=1, queue_size=queue_size)
    moco.queue.fill_(-1)
    number = 0
    for n in n_keys:
        index = torch.arange(number, number + n)
        moco._enqueue(index.float()[:, None], index)
        number += n
    assert torch.equal(moco.queue_index, moco.queue[:, 0].long())
    return moco.queue[:, 0].int().tolist(), moco.pointer.item()


@pytest.mark.parametrize(
    ("queue_size", "n_keys", "queue", "pointer"),
    [
        (6, [2, 2], [0, 1, 2, 3, -1, -1], 4),
        (6, [3, 3, 3], [6, 7, 8, 3, 4, 5], 3),
        (5, [3, 3], [5, 1, 2, 3, 4], 1),  # no multiple of the batch
        (5, [3, 3, 2, 3], [10, 6, 7, 8, 9], 1),
        (3, [5], [3, 4, 2], 2),  # shorter than the batch: the last ones stay
        (1, [4, 4], [7], 0),
    ],
)
def test_first_in_first_out(queue_size, n_keys, queue, pointer):
    assert fed(queue_size, n_keys) == (queue, pointer)


def test_a_batch_enters_the_queue_after_it_was_compared():
    moco, batch = objective(), two_views()
    queue = moco.queue.clone()
    query, keys = (
        normalize(module(batch[name]), dim=1)
        for module, name in (
            (nn.Sequential(moco.network, moco.projector), "view_0"),
            (moco.key_encoder, "view_1"),
        )
    )
    expected = info_nce(query, keys, queue, temperature=0.2)
    torch.testing.assert_close(moco(batch, START)["contrast"], expected)
    torch.testing.assert_close(moco.queue[:6], keys)
    assert torch.equal(moco.queue[6:], queue[6:])
    assert moco.pointer == 6


def test_the_querys_own_image_is_no_negative():
    """Of ten keys, those of images 2 and 5 are left out for these queries alone."""
    moco, batch = objective(), two_views()
    moco.queue_index.copy_(torch.tensor([2, 90, 91, 5, 92, 93, 2, 94, -1, -1]))
    queue, owner = moco.queue.clone(), moco.queue_index.clone()
    query = normalize(moco.projector(moco.network(batch["view_0"])), dim=1)
    key = normalize(moco.key_encoder(batch["view_1"]), dim=1)
    losses = [info_nce(query[[i]], key[[i]], queue[owner != i], temperature=0.2) for i in range(6)]
    torch.testing.assert_close(moco(batch, START)["contrast"], torch.stack(losses).mean())


def test_held_out_images_are_not_the_trained_ones_of_the_same_number():
    moco, batch = objective().eval(), two_views()
    moco.queue_index.copy_(torch.arange(10))
    query = normalize(moco.projector(moco.network(batch["view_0"])), dim=1)
    key = normalize(moco.key_encoder(batch["view_1"]), dim=1)
    expected = info_nce(query, key, moco.queue, temperature=0.2)
    torch.testing.assert_close(moco(batch, START)["contrast"], expected)


def test_no_query_of_a_training_meets_its_own_image(shapes, monkeypatch):
    """Though the queue holds a key of every image."""
    met = []

    def recorded(query, key, negatives, *, temperature, left_out):
        met.append(left_out.sum(dim=1))
        return info_nce(query, key, negatives, temperature=temperature, left_out=left_out)

    monkeypatch.setattr(moco_pretrainer, "info_nce", recorded)
    pretrainer().fit(shapes.images)
    assert torch.cat(met).sum() >= 24  # of two epochs of 24 images, those of the first at least


def normalized_apart(n_images=6):
    """An objective of an encoder with batch normalization, and a batch for it."""
    torch.manual_seed(0)
    network = classification_network(encoder="test_resnet", n_classes=0)
    settings = {"head": "linear", "projection_size": 4, "temperature": 0.2, "momentum": 0.9}
    images = {f"view_{i}": torch.rand(n_images, 3, 32, 32) for i in range(2)}
    return MoCo(network, **settings, queue_size=4, n_groups=3), images


def test_groups_of_the_batch_are_normalized_by_themselves():
    """Another image changes the queries of its own group of two, and no others."""
    moco, batch = normalized_apart()
    encoder = nn.Sequential(moco.network, moco.projector)
    before = moco._in_groups(encoder, batch["view_0"])
    batch["view_0"][3] = torch.rand(3, 32, 32)
    changed = (moco._in_groups(encoder, batch["view_0"]) != before).any(dim=1)
    assert changed.tolist() == [False, False, True, True, False, False]
    alone = normalize(encoder(batch["view_0"][:2]), dim=1)
    torch.testing.assert_close(moco._in_groups(encoder, batch["view_0"])[:2], alone)


def test_keys_are_shuffled_between_the_groups_and_back():
    moco, batch = normalized_apart()
    torch.manual_seed(5)
    keys = moco._encode(batch["view_1"])
    torch.manual_seed(5)
    order = torch.randperm(6).tolist()
    assert sorted(order[:2]) != [0, 1]
    for pair in (order[:2], order[2:4], order[4:]):
        alone = normalize(moco.key_encoder(batch["view_1"][pair]), dim=1)
        torch.testing.assert_close(keys[pair], alone)


@pytest.mark.parametrize(
    ("n_images", "sizes"), [(6, [2, 2, 2]), (7, [3, 2, 2]), (5, [3, 2]), (1, [1])]
)
def test_a_group_has_two_images_at_least(n_images, sizes):
    moco, _ = normalized_apart()
    seen = []
    moco._in_groups(lambda part: seen.append(len(part)) or part.flatten(1), torch.ones(n_images, 4))
    assert seen == sizes


def test_evaluation_and_encoders_without_batch_normalization_have_no_groups():
    moco, batch = normalized_apart()
    moco.eval()
    whole = normalize(moco.key_encoder(batch["view_1"]), dim=1)
    assert torch.equal(moco._encode(batch["view_1"]), whole)
    assert objective(n_groups=8).n_groups == 1
    assert moco.n_groups == 3


def test_validation_leaves_the_queue_as_it_is():
    moco = objective()
    before = {name: value.clone() for name, value in moco.state_dict().items()}
    moco.eval()
    moco(two_views(), START)
    assert all(torch.equal(value, before[name]) for name, value in moco.state_dict().items())


def test_the_queue_starts_with_the_last_images_of_the_first_epoch():
    moco, batches = objective(queue_size=8), [two_views() for _ in range(3)]
    moco.before_epoch(iter(batches), START)
    keys = torch.cat([normalize(moco.key_encoder(batch["view_1"]), dim=1) for batch in batches])
    oldest_first = moco.queue.roll(-moco.pointer.item(), dims=0)
    torch.testing.assert_close(oldest_first, keys[-8:])
    assert not moco.queue.requires_grad
    moco.before_epoch(iter(batches[:1]), Progress(1, 3, 0.5))
    torch.testing.assert_close(moco.queue.roll(-moco.pointer.item(), dims=0), oldest_first)


def test_the_queue_is_part_of_the_checkpoint_and_starts_with_random_directions():
    moco = objective(projection_size=64, queue_size=500)
    assert {"queue", "queue_index", "pointer"} <= moco.state_dict().keys()
    torch.testing.assert_close(moco.queue.norm(dim=1), torch.ones(500))
    assert moco.queue.mean(0).abs().max() < 4 / math.sqrt(500 * 64)


def test_heads():
    """v2: as long as the embedding, ReLU, no normalization; v1: one linear layer."""
    of = {
        head: [type(layer) for layer in objective(head=head).projector]
        for head in ("mlp", "linear")
    }
    assert of == {"mlp": [nn.Linear, nn.ReLU, nn.Linear], "linear": [nn.Linear]}
    assert objective().projector[0].weight.shape == (64, 64)
    assert objective().projector[-1].weight.shape == (4, 64)


def test_defaults_are_the_papers():
    default = MoCoPretrainer()
    assert (default.temperature, default.momentum, default.queue_size) == (0.2, 0.999, 65536)
    assert (default.projection_size, default.head, default.schedule) == (128, "mlp", "cosine")
    assert default.learning_rate == 0.03 * default.batch_size / 256


@pytest.mark.parametrize(("queue_size", "expected"), [(65536, 24), (7, 7)])
def test_the_queue_has_one_key_an_image_at_most(shapes, queue_size, expected):
    fitted = pretrainer(queue_size=queue_size)
    samples = fitted._make_samples(fitted._open(shapes.images))
    assert len(fitted._make_objective(samples).queue) == expected


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_learns(encoder):
    images = make_shapes(48, image_size=16, n_objects=2, target_radius=4, random_state=0).images
    fitted = pretrainer(
        encoder=encoder,
        batch_size=16,
        optimizer="adam",
        learning_rate=1e-3,
        momentum=0.99,
        max_epochs=12,
    ).fit(images)
    loss, spread = fitted.history_["contrast"], fitted.history_["embedding_std"]
    assert loss[-3:].mean() < loss[:3].mean()
    assert spread[-1] > spread[0]


def test_the_order_of_the_queue_is_reproducible(shapes):
    first, second = (pretrainer(queue_size=5).fit(shapes.images) for _ in range(2))
    np.testing.assert_array_equal(first.history_["contrast"], second.history_["contrast"])
    np.testing.assert_array_equal(first.transform(shapes.images), second.transform(shapes.images))


def test_version_1(shapes):
    def steps(t):
        return 0.1 ** ((t >= 0.6) + (t >= 0.8))

    settings = {"head": "linear", "temperature": 0.07, "schedule": steps}
    fitted = pretrainer(**settings, max_epochs=5).fit(shapes.images)
    np.testing.assert_allclose(
        fitted.history_["learning_rate"] / 0.0075, [1, 1, 1, 0.1, 0.01], rtol=1e-6
    )


def test_moco_cxr_on_gray_images_in_half_precision(shapes):
    views = Augmentation(horizontal_flip=0.5, rotation=10)
    fitted = pretrainer(augmentation=views, precision="bf16").fit(shapes.images.mean(-1))
    assert np.isfinite(fitted.transform(shapes.images.mean(-1))).all()


def test_it_is_handed_on(shapes):
    segmenter = SupervisedSegmenter(
        encoder="tiny",
        pretrainer=pretrainer(encoder=None),
        encoder_rate=0.0,
        max_epochs=1,
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    theirs, ours = segmenter.pretrainer_.network_.state_dict(), segmenter.network_.state_dict()
    names = [name for name in theirs if name.startswith("encoder.")]
    assert set(names) <= set(segmenter.transferred_["taken"])
    assert all(torch.equal(ours[name], theirs[name]) for name in names)
