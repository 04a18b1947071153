import numpy as np
import pytest

from segclf.base import supervise
from segclf.data import as_images
from segclf.methods.pseudo_label.pseudo_masks import Selection, predict_masks


def select(masks, foreground, **settings):
    """Select pixels of masks (h, w) of two exclusive classes."""
    probabilities = [np.stack([1 - np.asarray(f), f]) for f in foreground]
    masks = [np.asarray(mask, dtype=np.int8) for mask in masks]
    return [mask.tolist() for mask in Selection(**settings).apply(masks, probabilities)]


def test_confidence_is_that_of_what_was_predicted():
    predicted = select([[[0, 0, 1, 1, -1]]], [[[0.1, 0.4, 0.9, 0.4, 0.9]]], min_confidence=0.6)
    assert predicted == [[[0, 0, 1, -1, -1]]]


def test_the_limit_itself_is_confident_enough():
    assert select([[[1, 1]]], [[[0.75, 0.7]]], min_confidence=0.75) == [[[1, -1]]]


def test_a_share_is_of_the_confident_pixels_at_most():
    kept = select([[[1, 1, 1, 1]]], [[[0.6, 0.7, 0.8, 0.9]]], kept_share=0.75, min_confidence=0.75)
    assert kept == [[[-1, -1, 1, 1]]]


def test_the_share_of_each_class_over_all_images():
    masks = [[[0, 0, 1, 1]], [[0, 0, 1, 1]]]
    foreground = [[[0.0, 0.1, 0.6, 0.7]], [[0.2, 0.3, 0.8, 0.9]]]
    balanced = [[[0, 0, -1, -1]], [[-1, -1, 1, 1]]]
    assert select(masks, foreground, kept_share=0.5) == balanced
    # Confidences are 1, .9, .6, .7, .8, .7, .8, .9: of all pixels, the better half is mostly empty.
    together = [[[0, 0, -1, -1]], [[0, -1, 1, 1]]]
    assert select(masks, foreground, kept_share=0.5, class_balanced=False) == together


def test_many_classes_keep_their_share_however_rare():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([9, 3, 1], size=(4, 30, 30)).transpose(0, 3, 1, 2)
    masks = list(probabilities.argmax(axis=1).astype(np.int8))
    kept = np.stack(Selection(kept_share=0.2).apply(masks, probabilities))
    for number in range(3):
        predicted = np.stack(masks) == number
        assert (kept == number).sum() == pytest.approx(0.2 * predicted.sum(), abs=1)
        sure = probabilities[:, number]
        assert sure[kept == number].min() > sure[predicted & (kept == -1)].max()


def test_several_labels_have_both_answers():
    mask = np.array([[[1, 0]], [[0, -1]]], dtype=np.int8)
    probabilities = np.array([[[0.9, 0.4]], [[0.1, 0.9]]])
    (kept,) = Selection(min_confidence=0.7).apply([mask], probabilities[None])
    assert kept.tolist() == [[[1, -1]], [[0, -1]]]
    (kept,) = Selection(kept_share=0.5).apply([mask], probabilities[None])
    assert kept.tolist() == mask.tolist(), "each answer of each class is alone"


class Labeler:
    def __init__(self, at_once):
        self.at_once = at_once

    def predict(self, X, *, labels=None):
        if len(X) > self.at_once:
            raise MemoryError(f"{len(X)} images")
        return [np.full((2, 2), label) for label in labels]


def predict(labeler, chosen):
    X = np.zeros((4, 2, 2))
    supervision = supervise(X, images=as_images(X), labels=np.array([0, 1, 0, 1]))
    return predict_masks(labeler, supervision, chosen)


def test_only_the_chosen_images_and_their_labels_are_shown():
    predicted = predict(Labeler(at_once=4), np.array([1, 2]))
    assert [mask.tolist() for mask in predicted] == [[[1, 1], [1, 1]], [[0, 0], [0, 0]]]
    assert predicted[0].dtype == np.int8


def test_what_fails_for_no_image_alone_is_said_of_all():
    with pytest.raises(RuntimeError, match="1 to 3 together, though each alone succeeds: Memor"):
        predict(Labeler(at_once=1), np.array([1, 2, 3]))
