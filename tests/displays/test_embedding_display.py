from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from segclf.displays import EmbeddingDisplay

EMBEDDINGS = np.random.default_rng(0).normal(size=(9, 4)) * [5, 3, 1, 1]


def shown(display):
    return {part.get_label(): part.get_offsets() for part in display.ax_.collections}


def test_two_columns_are_drawn_as_they_are_more_by_components():
    display = EmbeddingDisplay.from_predictions(EMBEDDINGS[:, :2])
    np.testing.assert_array_equal(shown(display)["no label"], EMBEDDINGS[:, :2])
    display = EmbeddingDisplay.from_estimator(SimpleNamespace(transform=lambda X: X), EMBEDDINGS)
    expected = PCA(2).fit_transform(EMBEDDINGS)
    np.testing.assert_allclose(np.abs(shown(display)["no label"]), np.abs(expected))
    assert display.ax_.get_xlabel().startswith("first component (")


@pytest.mark.parametrize("names", [None, ["healthy", "nodule"], {1: "nodule", 0: "healthy"}])
def test_points_by_label_and_errors_crossed_out(names):
    y, said = np.array([0, 1, 1, -1]), np.array([0, 1, 0, 1])
    points = EMBEDDINGS[:4, :2]
    parts = shown(EmbeddingDisplay.from_predictions(points, y, said, class_names=names))
    first, second = ("0", "1") if names is None else ("healthy", "nodule")
    assert list(parts) == [first, second, "no label", "labeled wrongly"]
    np.testing.assert_array_equal(parts[second], points[1:3])
    np.testing.assert_array_equal(parts["labeled wrongly"], points[2:3])


def test_labels_may_be_names():
    parts = shown(EmbeddingDisplay.from_predictions(EMBEDDINGS[:3, :2], ["a", "b", "a"]))
    np.testing.assert_array_equal(parts["a"], EMBEDDINGS[[0, 2], :2])
