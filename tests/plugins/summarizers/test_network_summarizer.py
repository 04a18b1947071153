import numpy as np
import pytest
from segclf_plugins.summarizers import EmbeddingSummarizer, ResNet50Summarizer, SqueezeNetSummarizer
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import InvalidParameterError

EASY = {"max_epochs": 20, "learning_rate": 1e-3, "random_state": 0}


@pytest.mark.parametrize(
    "summarizer",
    [
        SqueezeNetSummarizer(**EASY),
        EmbeddingSummarizer(head="simple", **EASY),
        EmbeddingSummarizer(head="complex", **EASY),
    ],
    ids=repr,
)
def test_learns_what_is_planted(summarizer, planted):
    P, y = planted(seed=1)
    assert roc_auc_score(y, summarizer.fit(*planted()).predict_proba(P)[:, 1]) == 1


def test_the_image_is_the_mask(planted):
    P, y = planted(n=4, n_channels=2)
    fitted = ResNet50Summarizer(max_epochs=1, random_state=0).fit(P, y)
    recipe = fitted.network_.recipe
    assert (recipe["encoder"], recipe["in_channels"]) == ("resnet50", 2)
    # torchvision's for two classes, with a first convolution of two channels.
    n_parameters = 25_557_032 - (2048 + 1) * (1000 - 2) - 64 * 7 * 7
    assert sum(each.numel() for each in fitted.network_.parameters()) == n_parameters


def test_embeddings_of_many_channels_of_several_labels():
    y = np.array([[0, 1], [1, 0], [1, 1], [0, 0]] * 3)
    P = np.random.default_rng(0).random((12, 600, 3, 3), dtype=np.float32)
    P[:, :2] += 2 * y[..., None, None]
    fitted = EmbeddingSummarizer(**EASY).fit(P, y)
    np.testing.assert_array_equal(fitted.predict(P), y)
    np.testing.assert_array_equal(fitted.classes_, [0, 1])


def test_maps_are_brought_to_the_size_of_fit(planted):
    P, y = planted(n=8)
    fitted = EmbeddingSummarizer(head="complex", max_epochs=1, random_state=0).fit(P, y)
    assert fitted.image_size_ == (24, 24)
    assert fitted.network_.recipe["size"] == [24, 24]
    large = P.repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(fitted.predict_proba(large), fitted.predict_proba(P), atol=1e-5)


def test_same_seed_same_bits(planted):
    P, y = planted(n=8)
    summarizer = EmbeddingSummarizer(head="complex", max_epochs=2, random_state=0)
    first, second = (clone(summarizer).fit(P, y).predict_proba(P) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_images_without_a_label_are_of_no_class(planted):
    P, y = planted(n=8)
    fitted = EmbeddingSummarizer(max_epochs=1).fit(P, np.where(np.arange(8) < 6, y, -1))
    assert fitted.classes_.tolist() == [0, 1]


def test_errors(planted):
    P, y = planted(n=4)
    with pytest.raises(InvalidParameterError, match=r"'head'.*must be a str among"):
        EmbeddingSummarizer(head="deep").fit(P, y)
    with pytest.raises(ValueError, match="only one class is present"):
        EmbeddingSummarizer().fit(P, y * 0)
    fitted = EmbeddingSummarizer(max_epochs=1).fit(P, y)
    with pytest.raises(ValueError, match=r"shape \(2, 24, 24\) at sample 0; expected .* k = 1"):
        fitted.predict(np.repeat(P, 2, axis=1))
