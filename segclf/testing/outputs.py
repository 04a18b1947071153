"""Checks of outputs: probabilities and masks, for images of every form."""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from segclf.testing.report import Check
from segclf.testing.samples import assert_equal, fitted, fresh, indicator, make_samples

SIZES = [(16, 16), (13, 17), (5, 7), (40, 24)]


def check_probabilities(estimator: Any) -> None:
    """Probabilities are float32 in [0, 1] and sum to 1; the mask is the most probable id."""
    samples = make_samples()
    trained = fitted(estimator)
    probabilities = trained.predict_proba(samples.images)
    _assert_probabilities(probabilities, n_classes=2)
    assert probabilities.shape == (6, 2, 16, 16)
    masks = probabilities.argmax(axis=1)
    assert_equal(trained.predict(samples.images), masks)
    for name, whole in (("predict_batches", masks), ("predict_proba_batches", probabilities)):
        for indices, batch in getattr(trained, name, lambda _: ())(samples.images):
            assert_equal(batch, whole[indices])


def check_multiclass(estimator: Any) -> None:
    """With mask ids up to 2 there are three classes, even if an image shows none of them."""
    samples = make_samples(n_classes=3)
    trained = fitted(estimator, samples)
    assert trained.n_classes_ == 3
    probabilities = trained.predict_proba(samples.images)
    _assert_probabilities(probabilities, n_classes=3)
    assert_equal(trained.predict(samples.images), probabilities.argmax(axis=1))


def check_multilabel(estimator: Any) -> None:
    """Multi-label masks (n, k, h, w) give probabilities and masks of k channels."""
    samples = make_samples(n_classes=3)
    masks, _ = indicator(samples, 3)
    trained = fresh(estimator).fit(samples.images, masks)
    probabilities = trained.predict_proba(samples.images)
    assert probabilities.shape == masks.shape
    assert np.isfinite(probabilities).all()
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    assert_equal(trained.predict(samples.images), probabilities >= 0.5)


def check_sizes(estimator: Any) -> None:
    """Masks have the size of their image, which may differ from the size in training."""
    trained = fitted(estimator)
    for size in SIZES:
        images = make_samples(n_samples=2, size=size).images
        assert np.shape(trained.predict(images)) == (2, *size)
        _assert_probabilities(trained.predict_proba(images), n_classes=2)


def check_lists_of_sizes(estimator: Any) -> None:
    """A list of images of different sizes can be trained on, and predictions are a list."""
    parts = [make_samples(n_samples=2, size=size) for size in SIZES]
    images = [image for part in parts for image in part.images]
    masks = [mask for part in parts for mask in part.masks]
    trained = fresh(estimator).fit(images, masks)
    predicted, probabilities = trained.predict(images), trained.predict_proba(images)
    assert [mask.shape for mask in predicted] == [mask.shape for mask in masks]
    assert [p.shape for p in probabilities] == [(2, *mask.shape) for mask in masks]
    assert_equal(predicted, [p.argmax(axis=0) for p in probabilities])


def check_lists(estimator: Any) -> None:
    """A list of arrays gives the same result as their stack."""
    samples = make_samples()
    trained = fresh(estimator).fit(list(samples.images), list(samples.masks))
    expected = fitted(estimator).predict_proba(samples.images)
    assert_equal(trained.predict_proba(list(samples.images)), expected)


def check_paths(estimator: Any) -> None:
    """Files give the same result as the arrays in them."""
    samples = make_samples()
    expected = fitted(estimator).predict_proba(samples.images)
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder) / "images", samples.images[..., ::-1])
        masks = write_images(Path(folder) / "masks", samples.masks)
        trained = fresh(estimator).fit(images, masks)
        assert_equal(trained.predict_proba(images), expected)


def check_tensors(estimator: Any) -> None:
    """Tensors (n, c, h, w) give the same result as arrays (n, h, w, c)."""
    samples = make_samples()
    images = torch.from_numpy(samples.images).permute(0, 3, 1, 2)
    trained = fresh(estimator).fit(images, torch.from_numpy(samples.masks))
    assert_equal(trained.predict_proba(images), fitted(estimator).predict_proba(samples.images))


def check_depths(estimator: Any) -> None:
    """An 8-bit image and its float version in [0, 1] give the same result; gray images work."""
    samples = make_samples()
    floats = samples.images.astype(np.float32) / 255
    np.testing.assert_allclose(
        fresh(estimator).fit(floats, samples.masks).predict_proba(floats),
        fitted(estimator).predict_proba(samples.images),
        atol=1e-5,
    )
    gray = np.uint16(257) * samples.images[..., 0]
    trained = fresh(estimator).fit(gray, samples.masks)
    _assert_probabilities(trained.predict_proba(gray), n_classes=2)


def check_constant_images(estimator: Any) -> None:
    """Constant images give no NaN, in training and in prediction."""
    samples = make_samples()
    flat = np.full_like(samples.images, 7)
    _assert_probabilities(fitted(estimator).predict_proba(flat), n_classes=2)
    trained = fresh(estimator).fit(flat, samples.masks)
    _assert_probabilities(trained.predict_proba(samples.images), n_classes=2)


def check_one_sample(estimator: Any) -> None:
    """One image is enough to train on."""
    samples = make_samples(n_samples=2)
    trained = fresh(estimator).fit(samples.images[1:], samples.masks[1:])
    _assert_probabilities(trained.predict_proba(samples.images), n_classes=2)


def check_score(estimator: Any) -> None:
    """``score`` is 1 for the estimator's own masks, and does not count pixels of -1."""
    samples = make_samples()
    trained = fitted(estimator)
    truth = trained.predict(samples.images).astype(np.int64)
    truth[0] = 1
    wrong = truth != trained.predict(samples.images)
    assert 0 <= trained.score(samples.images, truth) < 1 or not wrong.any()
    truth[1, :4] = 1
    truth[truth != trained.predict(samples.images)] = -1
    score = trained.score(samples.images, truth)
    assert score == 1 or (np.isnan(score) and not (truth > 0).any())


def _assert_probabilities(probabilities: NDArray[Any], n_classes: int) -> None:
    assert probabilities.dtype == np.float32
    assert probabilities.shape[1] == n_classes
    assert np.isfinite(probabilities).all(), "probabilities are NaN or infinite"
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def write_images(folder: Path, arrays: NDArray[Any]) -> list[Path]:
    """Write each array to a file of a new folder."""
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        cv2.imwrite(str(path), array)
    return paths


CHECKS: tuple[Check, ...] = (
    check_probabilities,
    check_multiclass,
    check_multilabel,
    check_sizes,
    check_lists_of_sizes,
    check_lists,
    check_paths,
    check_tensors,
    check_depths,
    check_constant_images,
    check_one_sample,
    check_score,
)
