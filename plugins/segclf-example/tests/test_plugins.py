"""What every plugin must keep: found by name, made without arguments, true to its protocol."""

import numpy as np
import pytest
from sklearn.base import clone

from segclf.hookspecs import PseudoLabeler, Summarizer, Thresholder
from segclf.registry import list_plugins, make_plugin

OURS = [plugin for plugin in list_plugins() if plugin.distribution == "segclf-example"]


def test_all_kinds_are_offered_and_in_order():
    """Lists one of each kind, without trouble."""
    assert [(plugin.kind, plugin.name, plugin.state) for plugin in OURS] == [
        ("pseudo_labeler", "nearest_color", "ok"),
        ("reader", "npy", "ok"),
        ("summarizer", "area_logistic", "ok"),
        ("thresholder", "outlier", "ok"),
    ]


@pytest.mark.parametrize(
    "plugin", [plugin for plugin in OURS if plugin.kind != "reader"], ids=lambda plugin: plugin.id
)
def test_is_a_plain_scikit_learn_object(plugin):
    """Clones and takes its own parameters back, so that a grid search can set them."""
    made = make_plugin(plugin.kind, plugin.id)
    copy = clone(made)
    assert copy is not made
    assert copy.get_params() == made.get_params()
    assert made.set_params(**copy.get_params()) is made


def test_outlier_finds_a_bright_and_a_dark_spot():
    """Finds the spot exactly, at 8 bit, 16 bit and float, and nothing in a constant image."""
    outlier = make_plugin("thresholder", "outlier")
    assert isinstance(outlier, Thresholder)
    noise = np.random.default_rng(0).integers(40, 60, size=(32, 32))
    spot = np.zeros((32, 32), dtype=bool)
    spot[5:9, 20:26] = True
    bright, dark = np.where(spot, 200, noise), np.where(spot, 5, noise + 150)
    for image in (bright, dark, (dark * 100).astype(np.uint16), bright / 255):
        np.testing.assert_array_equal(outlier(image), spot)
    assert not outlier(np.full((4, 4), 7)).any()


def test_nearest_color_predicts_what_it_learned():
    """Predicts red blue by blue, keeps sizes, and leaves negatives empty."""
    labeler = make_plugin("pseudo_labeler", "nearest_color")
    assert isinstance(labeler, PseudoLabeler)
    masks = [np.eye(4, dtype=int), np.eye(6, dtype=int)]
    X = [np.stack([255 * mask, 0 * mask, 255 - 255 * mask], axis=-1) for mask in masks]
    labeler.fit(X, [masks[0], None])
    for predicted, mask in zip(labeler.predict(X), masks, strict=True):
        np.testing.assert_array_equal(predicted, mask)
    first, second = labeler.predict(X, labels=[0, -1])
    assert not first.any()
    np.testing.assert_array_equal(second, masks[1])


def test_area_logistic_agrees_with_itself():
    """Orders images by area, whatever their sizes, and predicts its largest probability."""
    summarizer = make_plugin("summarizer", "area_logistic")
    assert isinstance(summarizer, Summarizer)
    sizes = [8, 9, 10, 11]
    shares = [0, 0.1, 0.2, 0.9]
    P = [np.full((1, s, s), share) for s, share in zip(sizes, shares, strict=True)]
    summarizer.fit(P, [0, 0, 1, 1])
    proba = summarizer.predict_proba(P)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (np.diff(proba[:, 1]) > 0).all()
    np.testing.assert_array_equal(summarizer.predict(P), summarizer.classes_[proba.argmax(axis=1)])


def test_npy_files_are_images_and_masks(tmp_path):
    """Reads what was saved, wherever images and masks may be paths."""
    data = pytest.importorskip("segclf.data")
    arrays = np.random.default_rng(0).integers(0, 4, size=(2, 12, 16))
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    paths = [str(tmp_path / f"{number}.npy") for number in range(2)]
    np.testing.assert_array_equal(data.as_images(paths)[1][..., 0], arrays[1])
    np.testing.assert_array_equal(data.as_masks(paths, 2)[0], arrays[0])
    testing = pytest.importorskip("segclf.testing")
    testing.check_reader(make_plugin("reader", "npy"), paths[0], mask=True)


def test_conformance():
    """Runs segclf's own checks for plugin authors, where this version of segclf has them."""
    testing = pytest.importorskip("segclf.testing")
    for plugin in OURS:
        testing.check_plugin(plugin.kind, plugin.id)
