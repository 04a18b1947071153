"""What "auto" becomes, given the data."""

import pickle

import numpy as np
import pytest

from segclf import ImageClassifier, MultitaskClassifier, SupervisedSegmenter, load, save
from segclf.base import PretrainedWeightsWarning, automatic
from segclf.base.automatic import chosen
from segclf.base.facts import Facts
from segclf.base.supervision import supervise
from segclf.data import as_images
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=32, n_objects=3, random_state=0)
OTHERS = {"max_steps": 2, "random_state": 0, "precision": "fp32"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whether weights are at hand is not asked: a test says it."""
    monkeypatch.setattr(automatic, "weights_at_hand", lambda *names: True)


def facts(n_images=10, size=(64, 64), area=None, **changes):
    images = np.zeros((n_images, *size, 1), np.uint8)
    masks = None
    if area is not None:
        masks = np.zeros((n_images, *size), int)
        masks.reshape(n_images, -1)[:, :area] = 1
    return Facts(supervise(images, images=as_images(images), masks=masks, **changes))


def values(of=None, estimator=SupervisedSegmenter, **given):
    return chosen(estimator(**given).get_params(deep=False), of or facts())


def test_a_pretrained_encoder_is_frozen_under_a_light_head():
    found = values()
    assert found["encoder"] == "tf_efficientnet_lite0"
    assert (found["encoder_weights"], found["encoder_rate"]) == ("imagenet", 0)
    assert found["architecture"] == "hypercolumn"


def test_all_three_agree():
    names = automatic.RULES.keys() - {"architecture", "positive_fraction"}
    one, *others = (
        values(estimator=each)
        for each in (SupervisedSegmenter, ImageClassifier, MultitaskClassifier)
    )
    assert all(each[name] == one[name] for each in others for name in names)


def test_without_weights_the_default_learns_from_scratch_and_says_so(monkeypatch):
    monkeypatch.setattr(automatic, "weights_at_hand", lambda *names: False)
    with pytest.warns(PretrainedWeightsWarning, match="segclf\\[weights\\]"):
        found = values()
    assert (found["encoder"], found["encoder_weights"]) == ("resnet18", None)
    assert (found["encoder_rate"], found["architecture"]) == (1, "unet")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"encoder": "tiny"}, {"encoder_weights": None, "encoder_rate": 1, "architecture": "unet"}),
        ({"pretrainer": "a file"}, {"encoder": "resnet18", "encoder_rate": 1}),
        ({"encoder_weights": None}, {"encoder": "resnet18", "encoder_rate": 1}),
        ({"encoder": "resnet18", "encoder_weights": "a file"}, {"encoder_rate": 0}),
        ({"encoder_rate": 0.1}, {"architecture": "unet", "learning_rate": 1e-3}),
        ({"decoder_attention": "scse"}, {"encoder_rate": 0, "architecture": "unet"}),
        ({"decoder_channels": (16, 8, 8, 4, 4)}, {"encoder_rate": 0, "architecture": "unet"}),
        ({"decoder_channels": 32}, {"architecture": "hypercolumn"}),
        ({"max_epochs": 7}, {"max_steps": None}),
        ({"max_steps": None}, {"max_epochs": 50}),
        ({"learning_rate": 0.5}, {"learning_rate": 0.5, "optimizer": "adamw"}),
    ],
)
def test_what_is_given_decides_the_rest(given, expected):
    found = values(**given)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("n_images", "steps"), [(4, 100), (100, 150), (400, 300), (10_000, 1000)])
def test_steps_grow_with_the_root_of_the_images(n_images, steps):
    of = facts(n_images, (1, 1), labels=np.zeros(n_images, int))
    assert values(of)["max_steps"] == steps


@pytest.mark.parametrize(
    ("size", "steps"), [((512, 512), 121), ((192, 192), 150), ((224, 300), 134)]
)
def test_larger_images_take_fewer_steps(size, steps):
    of = facts(100, size, area=1)
    assert values(of)["max_steps"] == steps
    assert values(of, ImageClassifier)["max_steps"] == 150


def test_images_without_label_and_mask_do_not_count():
    of = facts(400, (1, 1), labels=np.r_[np.zeros(100, int), np.full(300, -1)])
    assert values(of)["max_steps"] == 150


@pytest.mark.parametrize(
    ("size", "area", "expected"),
    [
        ((64, 64), None, None),  # small images stay
        ((192, 192), 1, None),
        ((512, 512), None, (192, 192)),  # no masks
        ((512, 512), 262144 // 2, (192, 192)),  # large findings
        ((512, 512), 400, (224, 224)),  # .15 %: 8 / sqrt(.0015) = 205
        ((512, 512), 1, (256, 256)),  # no larger, however small they are
        ((256, 512), 1, None),
        ((400, 800), 80_000, (192, 384)),
    ],
)
def test_the_smallest_usual_finding_covers_some_cells(size, area, expected):
    assert values(facts(2, size, area))["image_size"] == expected


def test_one_in_ten_findings_may_be_smaller():
    masks = np.zeros((20, 512, 512), int)
    masks.reshape(20, -1)[1:, :20_000] = 1
    masks[0, 0, 0] = 1
    images = np.zeros((20, 512, 512, 1), np.uint8)
    of = Facts(supervise(images, images=as_images(images), masks=masks))
    assert values(of)["image_size"] == (192, 192)


def test_what_was_chosen_is_what_was_done():
    fitted = SupervisedSegmenter(encoder="tiny", max_epochs="auto", random_state=0)
    fitted.fit(SHAPES.images, SHAPES.masks)
    assert fitted.n_steps_ == fitted.chosen_["max_steps"] == 100
    assert "encoder" not in fitted.chosen_
    explicit = SupervisedSegmenter(**{**fitted.get_params(), **fitted.chosen_})
    explicit.fit(SHAPES.images, SHAPES.masks)
    assert not explicit.chosen_
    np.testing.assert_array_equal(
        explicit.predict_proba(SHAPES.images), fitted.predict_proba(SHAPES.images)
    )


@pytest.mark.parametrize("kind", [SupervisedSegmenter, MultitaskClassifier])
def test_only_a_classifier_takes_a_function_for_its_encoder(kind):
    with pytest.raises(ValueError, match=r"'encoder' parameter of .* must be an instance of 'str'"):
        kind(encoder=len)._validate_params()
    ImageClassifier(encoder=len)._validate_params()


def test_a_file_keeps_what_was_chosen(tmp_path):
    large = make_shapes(4, image_size=224, n_objects=3, random_state=0)
    fitted = SupervisedSegmenter(encoder="tiny", **OTHERS).fit(large.images, large.masks)
    save(fitted, tmp_path / "fitted")
    assert load(tmp_path / "fitted").chosen_ == fitted.chosen_
    assert pickle.loads(pickle.dumps(fitted)).chosen_ == fitted.chosen_
    assert isinstance(fitted.chosen_["image_size"], tuple)


def test_a_new_fit_chooses_anew():
    fitted = SupervisedSegmenter(encoder="tiny", max_seconds=1e-6, random_state=0)
    fitted.fit(SHAPES.images, SHAPES.masks)
    assert fitted.chosen_["max_steps"] == 100
    large = make_shapes(4, image_size=224, n_objects=3, random_state=0)
    fitted.set_params(max_steps=1).fit(large.images, large.masks)
    assert fitted.image_size_ == fitted.chosen_["image_size"]
    assert "max_steps" not in fitted.chosen_


def test_batches_of_prediction_may_be_set_after_fit():
    fitted = ImageClassifier(encoder="tiny", **OTHERS).fit(SHAPES.images, SHAPES.target)
    one = fitted.predict_proba(SHAPES.images)
    np.testing.assert_allclose(fitted.set_params(batch_size=3).predict_proba(SHAPES.images), one)
