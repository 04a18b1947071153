"""Checks of pretrainers: they need only images, embed them, and transfer their weights."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from torch import Tensor, nn

from segclf.methods.image_classifier import ImageClassifier
from segclf.networks import ImageNetwork
from segclf.testing import conventions, randomness
from segclf.testing.outputs import SIZES, write_images
from segclf.testing.refusals import check_refuses_broken_images
from segclf.testing.report import Check, of_small_fits, run_all
from segclf.testing.samples import assert_equal, fitted, fresh, make_samples


def pretrainer_checks() -> tuple[Check, ...]:
    """Return the checks of pretrainers, each a function of an estimator.

    Returns
    -------
    tuple of callable
        For ``pytest.mark.parametrize("check", pretrainer_checks(), ids=lambda c: c.__name__)``;
        each raises an error if the pretrainer breaks the contract.

    Examples
    --------
    >>> from segclf.testing import pretrainer_checks
    >>> pretrainer_checks()[-1].__name__
    'check_hands_on'
    """
    return tuple(map(of_small_fits, CHECKS))


def check_pretrainer(pretrainer: Any) -> None:
    """Check that a pretrainer meets the contract of all pretrainers.

    Parameters
    ----------
    pretrainer : Pretrainer
        An unfitted pretrainer, small and fast: it is cloned and trained about thirty times, on six
        images of 16 x 16. The quality of its embeddings does not matter.

    Raises
    ------
    ExceptionGroup
        With the error of each failed check and the name of the check.

    Examples
    --------
    >>> from segclf import SimSiamPretrainer
    >>> from segclf.testing import check_pretrainer
    >>> check_pretrainer(SimSiamPretrainer(encoder="tiny", max_epochs=1, projection_size=8))
    """
    run_all(CHECKS, pretrainer, name=type(pretrainer).__name__)


def check_embeddings(estimator: Any) -> None:
    """Embeddings are (n, d), finite, float32, and not the same for all images."""
    images = make_samples().images
    embeddings = fresh(estimator).fit(images).transform(images)
    _assert_embeddings(embeddings, len(images))
    assert embeddings.dtype == np.float32
    assert np.ptp(embeddings, axis=0).max() > 0, "all images have the same embedding"


def check_fit_transform(estimator: Any) -> None:
    """``fit_transform`` equals ``fit`` and ``transform``; masks passed as `y` change nothing."""
    samples = make_samples()
    expected = fitted(estimator).transform(samples.images)
    assert_equal(fresh(estimator).fit_transform(samples.images), expected)


def check_names_of_features(estimator: Any) -> None:
    """Each dimension of the embeddings has a name."""
    trained = fitted(estimator)
    names = trained.get_feature_names_out()
    assert len(names) == trained.transform(make_samples().images).shape[1]


def check_history(estimator: Any) -> None:
    """The history has a finite value of each column for each epoch."""
    trained = fitted(estimator)
    assert {"epoch", "learning_rate", "loss", "seconds"} <= trained.history_.keys()
    for name, column in trained.history_.items():
        assert column.shape == (trained.n_iter_,), name
        assert np.isfinite(column).all(), name


def check_forms_of_images(estimator: Any) -> None:
    """Lists and files give the same result as stacked arrays."""
    images = make_samples().images
    expected = fitted(estimator).transform(images)
    assert_equal(fresh(estimator).fit(list(images)).transform(list(images)), expected)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_images(Path(folder) / "images", images[..., ::-1])
        assert_equal(fresh(estimator).fit(paths).transform(paths), expected)


def check_sizes(estimator: Any) -> None:
    """Images may have other sizes than in training, and several sizes in training."""
    several = [image for size in SIZES for image in make_samples(n_samples=2, size=size).images]
    _assert_embeddings(fresh(estimator).fit(several).transform(several), len(several))
    trained = fitted(estimator)
    for size in SIZES:
        images = make_samples(n_samples=2, size=size).images
        _assert_embeddings(trained.transform(images), len(images))


def check_depths(estimator: Any) -> None:
    """An 8-bit image and its float version in [0, 1] give the same result; gray images work."""
    images = make_samples().images
    floats = images.astype(np.float32) / 255
    np.testing.assert_allclose(
        fresh(estimator).fit(floats).transform(floats),
        fitted(estimator).transform(images),
        rtol=1e-3,
        atol=1e-3,
    )
    gray = np.uint16(257) * images[..., 0]
    _assert_embeddings(fresh(estimator).fit(gray).transform(gray), len(gray))


def check_constant_images(estimator: Any) -> None:
    """Constant images give finite embeddings, also in training."""
    images = make_samples().images
    flat = np.full_like(images, 7)
    _assert_embeddings(fitted(estimator).transform(flat), len(flat))
    _assert_embeddings(fresh(estimator).fit(flat).transform(images), len(images))


def check_two_images(estimator: Any) -> None:
    """Two images are enough to train on, and held-out images have columns in the history."""
    images = make_samples().images
    _assert_embeddings(fresh(estimator).fit(images[:2]).transform(images), len(images))
    copy = fresh(estimator).set_params(validation_fraction=0.4, n_iter_no_change=1)
    assert np.isfinite(copy.fit(images).history_["validation_loss"]).all()


def check_hands_on(estimator: Any) -> None:
    """A classifier with the same encoder starts from its tensors and keeps frozen ones."""
    samples = make_samples()
    trained = fitted(estimator)
    source = next(m for m in trained.network_.modules() if _has_encoder(m))
    classifier = ImageClassifier(
        encoder=source.recipe["encoder"],
        pretrainer=FrozenEstimator(trained),
        encoder_rate=0.0,
        max_epochs=1,
    ).fit(samples.images, samples.labels)
    taken = set(classifier.transferred_["taken"])
    theirs, ours = _encoder(source), _encoder(classifier.network_)
    assert len(taken & ours.keys()) >= 0.5 * len(ours), "few tensors of the encoder are transferred"
    for name in sorted(taken & ours.keys() & theirs.keys()):
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def _has_encoder(module: nn.Module) -> bool:
    return isinstance(module, ImageNetwork) and "encoder" in module.recipe


def _encoder(network: nn.Module) -> dict[str, Tensor]:
    return {n: t for n, t in network.state_dict().items() if n.startswith("encoder.")}


def _assert_embeddings(embeddings: NDArray[Any], n_images: int) -> None:
    assert embeddings.ndim == 2
    assert len(embeddings) == n_images
    assert np.isfinite(embeddings).all(), "embeddings are NaN or infinite"


CHECKS: tuple[Check, ...] = (
    *conventions.CHECKS,
    *randomness.CHECKS,
    check_refuses_broken_images,
    check_embeddings,
    check_fit_transform,
    check_names_of_features,
    check_history,
    check_forms_of_images,
    check_sizes,
    check_depths,
    check_constant_images,
    check_two_images,
    check_hands_on,
)
