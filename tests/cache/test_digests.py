import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar
from sklearn.frozen import FrozenEstimator

from segclf import PseudoLabelSemiSupervised, SimSiamPretrainer, SupervisedSegmenter
from segclf.cache import digest, learned
from segclf.data import Augmentation, as_images, as_masks
from segclf.datasets import make_shapes

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
SEGMENTER = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
PARAMETERS = set(SEGMENTER.get_params(deep=False))


def loss(logits, mask, **weights):
    return logits.mean()


VALUES = [
    None,
    True,
    1,
    1.0,
    "a",
    b"a",
    (1, 2),
    [1, 2],
    {"a": 1, 2: "b"},
    {1, 2},
    np.arange(6),
    np.arange(6).reshape(2, 3),
    np.arange(6.0),
    np.array(["a", None, np.arange(3)], dtype=object),
    np.float32(1),
    torch.arange(6),
    torch.ones(3, dtype=torch.bfloat16),
    np.random.RandomState(0),
    np.random.default_rng(0),
    torch.nn.Conv2d(1, 2, 3),
    loss,
    functools.partial(loss, sample_weight=1),
    torch.optim.AdamW,
    Augmentation(),
    SEGMENTER,
    PseudoLabelSemiSupervised(SEGMENTER),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value!r:.20}")
def test_a_copy_is_the_same(value):
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)


def test_no_two_values_are_the_same():
    assert len({digest(value) for value in VALUES}) == len(VALUES)


def test_what_is_next_to_each_other_does_not_run_together():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest([1], [2]) != digest([1, 2], [])


def test_order_in_memory_does_not_count():
    values = np.random.default_rng(0).normal(size=(3, 4))
    assert digest(np.asfortranarray(values)) == digest(values)


def test_a_memmap_is_an_array(tmp_path):
    np.save(tmp_path / "images.npy", SHAPES.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    changed = SHAPES.images.copy()
    changed[-1, -1, -1, -1] ^= 1
    assert type(mapped) is np.memmap
    assert digest(np.array(mapped)) == digest(SHAPES.images) != digest(changed)


NOT_COUNTED = {"checkpoint", "checkpoint_every", "memory", "verbose"}


@pytest.mark.parametrize("name", sorted(PARAMETERS - NOT_COUNTED))
def test_every_parameter_counts(name):
    assert digest(SupervisedSegmenter(**{name: "another"})) != digest(SupervisedSegmenter())


@pytest.mark.parametrize("name", sorted(NOT_COUNTED))
def test_what_changes_no_result_does_not(name):
    assert digest(SupervisedSegmenter(**{name: "another"})) == digest(SupervisedSegmenter())


def test_a_nested_parameter_counts():
    one, two = (SupervisedSegmenter(pretrainer=SimSiamPretrainer(max_epochs=n)) for n in (1, 2))
    assert digest(one) != digest(two)


def test_callbacks_do_not_count():
    watched = copy.copy(SEGMENTER).set_callbacks(ProgressBar())
    assert digest(watched) == digest(SEGMENTER)


def test_what_was_learned_counts():
    one, two = (
        SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=seed).fit(
            SHAPES.images, SHAPES.masks
        )
        for seed in (0, 1)
    )
    two.random_state = 0
    assert digest(one) != digest(two)
    assert digest(FrozenEstimator(one)) != digest(FrozenEstimator(two))
    assert digest(pickle.loads(pickle.dumps(one))) == digest(one)


def test_learned_is_what_another_one_needs():
    fitted = copy.copy(SEGMENTER).fit(SHAPES.images, SHAPES.masks)
    what = learned(fitted)
    assert not PARAMETERS & what.keys()
    again = copy.copy(SEGMENTER)
    again.__setstate__({**vars(again), **what})
    np.testing.assert_array_equal(
        again.predict_proba(SHAPES.images), fitted.predict_proba(SHAPES.images)
    )
    np.testing.assert_array_equal(again.history_["loss"], fitted.history_["loss"])


def test_the_bytes_of_files_count(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    before = digest(path), digest(SupervisedSegmenter(encoder_weights=str(path)))
    path.write_bytes(b"two")
    after = digest(path), digest(SupervisedSegmenter(encoder_weights=str(path)))
    assert all(one != two for one, two in zip(before, after, strict=True))
    path.write_bytes(b"one")
    assert digest(path) == before[0]


def test_the_bytes_behind_a_slice_count(tmp_path):
    path = tmp_path / "volume.nii"
    path.write_bytes(b"one")
    before = digest(f"{path}[z=3]")
    assert digest(f"{path}[z=4]") != before
    path.write_bytes(b"two")
    assert digest(f"{path}[z=3]") != before


def test_images_and_masks_that_were_checked():
    masks = [*SHAPES.masks[:5], None]
    assert digest(as_images(SHAPES.images)) == digest(as_images(SHAPES.images.copy()))
    assert digest(as_masks(masks, 6)) != digest(as_masks([*masks[:4], None, None], 6))
    more = as_masks(masks, 6)
    more.n_classes += 1
    assert digest(more) != digest(as_masks(masks, 6))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (SupervisedSegmenter(loss=lambda *args: 0), "defined within a function|<lambda>"),
        ((n for n in range(3)), "generator"),
        (type("Local", (), {"__qualname__": "f.<locals>.Local"}), "defined within a function"),
    ],
    ids=["lambda", "generator", "local class"],
)
def test_what_cannot_be_known_again(value, reason):
    with pytest.raises(TypeError, match=rf"memory cannot tell .*({reason})"):
        digest(value)


def test_what_holds_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="memory cannot tell"):
        digest(endless)
