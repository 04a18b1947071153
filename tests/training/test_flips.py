import numpy as np
import pytest
import torch

from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.training import FLIPS
from segclf.training.flips import mean_over_flips

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((6, 32, 32, 3), dtype=np.float32)
WIDE = RANDOM.random((3, 40, 72, 3), dtype=np.float32)
SIZES = [IMAGES[0], WIDE[0], IMAGES[1, :24], WIDE[1, :, :33]]
MASKS = (IMAGES[..., 0] > 0.5).astype(int)
CHANNELS = (IMAGES > 0.6).astype(int).transpose(0, 3, 1, 2)
LABELS = np.arange(6) % 2
SAME = {"rtol": 0, "atol": 1e-5}
# By the axes of rows and columns: what each name promises to be equivariant to.
WAYS = {
    "horizontal": [lambda x, row, column: np.flip(x, column)],
    "vertical": [lambda x, row, column: np.flip(x, row)],
    "both": [
        lambda x, row, column: np.flip(x, row),
        lambda x, row, column: np.flip(x, column),
        lambda x, row, column: np.rot90(x, 2, (row, column)),
    ],
    "quarter_turns": [
        lambda x, row, column: np.flip(x, column),
        lambda x, row, column: np.rot90(x, 1, (row, column)),
        lambda x, row, column: np.rot90(x, 3, (row, column)),
        lambda x, row, column: np.swapaxes(x, row, column),
    ],
}
TINY = {"encoder": "tiny", "max_epochs": 1, "random_state": 0, "precision": "fp32"}


@pytest.fixture(scope="module")
def segmenter():
    return SupervisedSegmenter(**TINY, learning_rate=0.01).fit(IMAGES, MASKS)


def of_flips(estimator, flips):
    return estimator.set_params(test_time_flips=flips, tile_size=None)


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("tile_size", [None, 20])
def test_the_prediction_of_a_flipped_image_is_the_flipped_prediction(segmenter, flips, tile_size):
    """Tiles too: whole images are flipped, since tiles need not lie alike from both sides."""
    plain = of_flips(segmenter, None).predict_proba(IMAGES)
    segmenter.set_params(test_time_flips=flips, tile_size=tile_size)
    expected = segmenter.predict_proba(IMAGES)
    assert np.abs(expected - plain).max() > 1e-3
    for way in WAYS[flips]:
        found = segmenter.predict_proba(np.ascontiguousarray(way(IMAGES, 1, 2)))
        np.testing.assert_allclose(found, way(expected, 2, 3), **SAME)


@pytest.mark.parametrize("flips", ["horizontal", "vertical", "both", "quarter_turns"])
def test_images_of_several_sizes_flip_each_by_itself(segmenter, flips):
    segmenter.set_params(test_time_flips=flips, tile_size=24)
    for way in WAYS["both" if flips == "quarter_turns" else flips]:
        expected = segmenter.predict_proba(SIZES)
        found = segmenter.predict_proba([np.ascontiguousarray(way(image, 0, 1)) for image in SIZES])
        for one, whole in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, way(whole, 1, 2), **SAME)


def test_images_that_are_resized_flip_too():
    segmenter = SupervisedSegmenter(**TINY, image_size=16, test_time_flips="both").fit(
        WIDE, None, labels=[0, 1, 0]
    )
    expected = segmenter.predict_proba(SIZES)
    found = segmenter.predict_proba([np.ascontiguousarray(image[:, ::-1]) for image in SIZES])
    for one, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, whole[..., ::-1], **SAME)


def test_it_is_the_mean_by_hand(segmenter):
    plain = of_flips(segmenter, None)
    ways = [
        plain.predict_proba(IMAGES),
        plain.predict_proba(IMAGES[:, :, ::-1])[..., ::-1],
        plain.predict_proba(IMAGES[:, ::-1])[:, :, ::-1],
        plain.predict_proba(IMAGES[:, ::-1, ::-1])[:, :, ::-1, ::-1],
    ]
    for flips, chosen in (("horizontal", [0, 1]), ("vertical", [0, 2]), ("both", [0, 1, 2, 3])):
        found = of_flips(segmenter, flips).predict_proba(IMAGES)
        np.testing.assert_allclose(found, np.mean([ways[i] for i in chosen], axis=0), **SAME)
    turned = np.ascontiguousarray(np.rot90(IMAGES, 1, (1, 2)))
    both = of_flips(segmenter, "both").predict_proba
    expected = (both(IMAGES) + np.rot90(both(turned), -1, (2, 3))) / 2
    found = of_flips(segmenter, "quarter_turns").predict_proba(IMAGES)
    np.testing.assert_allclose(found, expected, **SAME)
    np.testing.assert_array_equal(segmenter.predict(IMAGES), found.argmax(axis=1))


def test_multilabel_masks():
    segmenter = SupervisedSegmenter(**TINY, test_time_flips="both").fit(IMAGES, CHANNELS)
    expected = segmenter.predict_proba(IMAGES)
    assert expected.shape == (6, 3, 32, 32)
    found = segmenter.predict_proba(np.ascontiguousarray(IMAGES[:, ::-1]))
    np.testing.assert_allclose(found, expected[:, :, ::-1], **SAME)


def test_classifiers_take_the_mean_of_their_probabilities():
    classifier = ImageClassifier(**TINY, learning_rate=0.01).fit(IMAGES, LABELS)
    expected = (classifier.predict_proba(IMAGES) + classifier.predict_proba(IMAGES[:, ::-1])) / 2
    found = classifier.set_params(test_time_flips="vertical").predict_proba(IMAGES)
    np.testing.assert_allclose(found, expected, **SAME)
    multitask = MultitaskClassifier(**TINY, test_time_flips="vertical")
    multitask.fit(IMAGES, LABELS, masks=MASKS * LABELS[:, None, None])
    for answer, turned in (
        ("predict_proba", np.asarray),
        ("predict_mask_proba", lambda x: x[:, :, ::-1]),
    ):
        found = getattr(multitask, answer)(IMAGES[:, ::-1].copy())
        np.testing.assert_allclose(turned(found), getattr(multitask, answer)(IMAGES), **SAME)


def test_summarizers_read_the_mean(segmenter):
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(**TINY, test_time_flips="both"), summarizer="pooled"
    ).fit(IMAGES, LABELS, masks=MASKS * LABELS[:, None, None])
    expected = classifier.predict_proba(IMAGES)
    np.testing.assert_allclose(classifier.predict_proba(IMAGES[:, ::-1].copy()), expected, **SAME)


def test_embeddings_are_of_the_image_as_it_is(segmenter):
    plain = next(of_flips(segmenter, None).embed_batches(IMAGES))[1]
    flipped = next(of_flips(segmenter, "both").embed_batches(IMAGES))[1]
    np.testing.assert_array_equal(plain, flipped)


def test_it_may_be_set_after_fit_and_is_saved(segmenter, tmp_path):
    expected = of_flips(segmenter, "horizontal").predict_proba(IMAGES)
    save(segmenter, tmp_path / "segmenter")
    loaded = load(tmp_path / "segmenter")
    assert loaded.test_time_flips == "horizontal"
    np.testing.assert_array_equal(loaded.predict_proba(IMAGES), expected)
    with pytest.raises(ValueError, match=r"'test_time_flips' parameter .* must be a str among"):
        loaded.set_params(test_time_flips="diagonal").predict(IMAGES)


def test_off_is_one_look():
    image = torch.rand(2, 3, 4, 4)
    assert mean_over_flips(lambda x: x, image, None) is image
