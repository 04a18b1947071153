"""Every summarizer's module against what the summarizer itself gives, without an export."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segclf.base import CalibratedSummarizer
from segclf.export import as_module
from segclf.registry import make_plugin

GENERATOR = np.random.default_rng(0)
LABELS = {
    "binary": (1, np.repeat([0, 1], 10)),
    "several": (2, np.arange(20) % 3),
    "indicator": (3, GENERATOR.integers(0, 2, (20, 3))),
}


def maps(n_channels, size=(12, 10), n=20):
    """Maps with a patch each, of which some are large, some sure, some neither."""
    P = GENERATOR.random((n, n_channels, *size), dtype=np.float32) * 0.3
    for row in range(n):
        side, sure = GENERATOR.integers(1, 6), GENERATOR.uniform(0.2, 0.69)
        P[row, row % n_channels, :side, : side + 1] += np.float32(sure)
    P[0], P[1], P[2] = 0, 1, 0.5
    return P


def assert_same(summarizer, P, inside=None):
    named = {} if inside is None else {"inside": inside}
    expected = summarizer.predict_proba(P, **named)
    tensors = (torch.from_numpy(each) for each in (P, *named.values()))
    given = as_module(summarizer)(*tensors)
    assert given.dtype == torch.float64
    np.testing.assert_allclose(given, expected, atol=1e-7)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("pooling", ["max", "mean", "rank", "top_mean"])
@pytest.mark.parametrize("min_area", ["auto", 4, 500])
def test_threshold(kind, pooling, min_area):
    n_channels, y = LABELS[kind]
    P = maps(n_channels)
    for threshold in (0.5, 0.3):
        summarizer = make_plugin("summarizer", "threshold").set_params(
            threshold=threshold, pooling=pooling, min_area=min_area
        )
        areas = GENERATOR.uniform(0, 0.2, (20, n_channels)) if min_area == "auto" else None
        assert_same(summarizer.fit(P, y, areas), P)
        assert_same(summarizer, maps(n_channels, size=(7, 31)))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", ["tuned_threshold", "pooled", "fully_connected", "joint"])
def test_what_learns(name, kind):
    n_channels, y = LABELS[kind]
    summarizer = make_plugin("summarizer", name)
    assert_same(summarizer.fit(maps(n_channels), y), maps(n_channels))


@pytest.mark.parametrize("kind", LABELS)
def test_joint_hears_what_is_inside(kind):
    n_channels, y = LABELS[kind]
    P, inside = maps(n_channels), GENERATOR.random((20, 5), dtype=np.float32)
    summarizer = make_plugin("summarizer", "joint").fit(P, y, inside=inside)
    assert_same(summarizer, maps(n_channels), inside[::-1].copy())


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method, kind):
    n_channels, y = LABELS[kind]
    summarizer = CalibratedSummarizer(make_plugin("summarizer", "threshold"), method=method)
    assert_same(summarizer.fit(maps(n_channels), y), maps(n_channels))


@pytest.mark.parametrize("head", ["simple", "complex"])
def test_a_network_on_maps(head):
    P, y = maps(4, size=(8, 8)), LABELS["binary"][1]
    summarizer = make_plugin("summarizer", "embedding").set_params(head=head, max_epochs=1)
    assert_same(summarizer.fit(P, y), maps(4, size=(8, 8)))


def test_rows():
    rows, y = GENERATOR.random((20, 4)), LABELS["several"][1]
    for model in (
        LogisticRegression(),
        make_pipeline(StandardScaler(), "passthrough", LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False, with_std=False), LogisticRegression()),
    ):
        assert_same(model.fit(rows, y), rows)


@pytest.mark.parametrize(
    ("summarizer", "error"),
    [
        (RandomForestClassifier(), "RandomForestClassifier cannot be exported"),
        (make_plugin("summarizer", "mask_features"), "measures connected components"),
        (
            make_plugin("summarizer", "pooled").set_params(classifier=RandomForestClassifier()),
            "RandomForestClassifier cannot be exported",
        ),
    ],
)
def test_what_no_graph_has_is_refused_by_name(summarizer, error):
    P = maps(1)
    rows = P.reshape(20, -1) if isinstance(summarizer, RandomForestClassifier) else P
    with pytest.raises(TypeError, match=error):
        as_module(summarizer.fit(rows, LABELS["binary"][1]))
