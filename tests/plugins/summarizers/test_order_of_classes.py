"""Which class is sorted first, and which channel is its own, decides nothing."""

from itertools import permutations

import numpy as np
import pytest

from segclf import list_plugins, load_plugin
from segclf.base import CalibratedSummarizer

# Their networks start from weights that differ by class.
NETWORKS = {"embedding", "resnet50", "squeezenet"}
NAMES = sorted({plugin.name for plugin in list_plugins("summarizer")} - NETWORKS)
ORDERS = [list(order) for order in permutations(range(3))][1:]


def maps_of(labels, n_channels):
    """Return noisy maps, brighter in the channel of an image's class; -1 shows nothing."""
    random = np.random.default_rng(0)
    P = random.random((len(labels), n_channels, 8, 8)) * 0.6
    for row, label in enumerate(labels):
        if label >= 0:
            P[row, label, 2:6, 2:6] += random.uniform(0.1, 0.4)
    return P


def assert_order_plays_no_part(summarizer):
    labels = np.arange(36) % 3
    P = maps_of(labels, 3)
    expected = summarizer.fit(P, labels).predict_proba(P)
    for order in ORDERS:
        places = np.argsort(order)
        found = summarizer.fit(P[:, order], places[labels]).predict_proba(P[:, order])
        np.testing.assert_allclose(found[:, places], expected, rtol=1e-2, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_every_class_has_a_channel(name):
    assert_order_plays_no_part(load_plugin("summarizer", name)())


@pytest.mark.parametrize("name", NAMES)
def test_the_first_class_shows_nothing(name):
    summarizer, labels = load_plugin("summarizer", name)(), np.arange(36) % 3
    P = maps_of(labels - 1, 2)
    expected = summarizer.fit(P, labels).predict_proba(P)
    other = summarizer.fit(P[:, ::-1].copy(), (3 - labels) % 3).predict_proba(P[:, ::-1].copy())
    np.testing.assert_allclose(other[:, [0, 2, 1]], expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated(method):
    summarizer = CalibratedSummarizer(load_plugin("summarizer", "threshold")(), method=method)
    assert_order_plays_no_part(summarizer)
