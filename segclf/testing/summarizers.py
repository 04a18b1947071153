"""Checks of summarizers, which predict image labels from mask probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from segclf.testing.report import Check
from segclf.testing.samples import fresh


def check_summarizes(summarizer: Any) -> None:
    """``fit`` returns self; probabilities sum to 1; ``predict`` gives the most probable class."""
    for y in (np.array([0, 1] * 4), np.array(["healthy", "ill"] * 4)):
        P = _maps(np.arange(8) % 2)
        copy = _quick(summarizer)
        assert copy.fit(P, y) is copy
        np.testing.assert_array_equal(copy.classes_, np.unique(y))
        _assert_consistent(copy, P)


def check_summarizes_several_classes(summarizer: Any) -> None:
    """With k channels, k + 1 classes can be distinguished."""
    y = np.arange(9) % 3
    copy = _quick(summarizer).fit(_maps(y, n_channels=2), y)
    np.testing.assert_array_equal(copy.classes_, [0, 1, 2])
    _assert_consistent(copy, _maps(y, n_channels=2))


def check_summarizes_many_labels(summarizer: Any) -> None:
    """With the tag multi_label, indicators (n, k) can be learned and predicted."""
    if not get_tags(summarizer).classifier_tags.multi_label:
        return
    y = np.array([[0, 1], [1, 0], [1, 1], [0, 0]])
    P = np.random.default_rng(0).uniform(0, 0.3, (4, 2, 12, 12)) + 0.7 * y[..., None, None]
    copy = _quick(summarizer).fit(P, y)
    probabilities = copy.predict_proba(P)
    assert probabilities.shape == y.shape
    assert np.isfinite(probabilities).all()
    np.testing.assert_array_equal(copy.predict(P), probabilities >= 0.5)


def check_summarizes_lists(summarizer: Any) -> None:
    """Maps of different sizes can be passed as a list."""
    y = np.arange(8) % 2
    P = [np.repeat(p, 1 + i % 3, axis=1) for i, p in enumerate(_maps(y))]
    _assert_consistent(_quick(summarizer).fit(P, y), P)
    together = _quick(summarizer).fit(_maps(y), y).predict_proba(_maps(y))
    listed = _quick(summarizer).fit(list(_maps(y)), y).predict_proba(list(_maps(y)))
    np.testing.assert_allclose(listed, together, atol=1e-7)


def check_summarizes_each_alone(summarizer: Any) -> None:
    """The prediction of an image does not depend on other images."""
    y = np.arange(8) % 2
    copy = _quick(summarizer).fit(_maps(y), y)
    together = copy.predict_proba(_maps(y))
    alone = np.concatenate([copy.predict_proba(_maps(y)[i : i + 1]) for i in range(8)])
    np.testing.assert_allclose(alone, together, atol=1e-7)


def check_summarizes_constant_maps(summarizer: Any) -> None:
    """Empty, full and constant maps give no NaN, in training and in prediction."""
    y = np.arange(8) % 2
    trained = _quick(summarizer).fit(_maps(y), y)
    for value in (0.0, 0.5, 1.0):
        flat = np.full((8, 1, 12, 12), value, dtype=np.float32)
        _assert_consistent(trained, flat)
        _assert_consistent(_quick(summarizer).fit(flat, y), flat)


def check_summarizer_leaves_data(summarizer: Any) -> None:
    """Maps and labels may be read-only and are not changed."""
    y = np.arange(8) % 2
    P = _maps(y)
    for array in (P, y):
        array.setflags(write=False)
    before = P.copy()
    _quick(summarizer).fit(P, y).predict(P)
    np.testing.assert_array_equal(P, before)


def check_summarizer_is_fitted_first(summarizer: Any) -> None:
    """Predicting before ``fit`` raises ``NotFittedError``."""
    for method in ("predict", "predict_proba"):
        try:
            getattr(_quick(summarizer), method)(_maps(np.arange(8) % 2))
        except NotFittedError:
            continue
        raise AssertionError(f"{method} works before fit")


def check_summarizer_says_what_it_reads(summarizer: Any) -> None:
    """The tag ``input_tags.two_d_array`` is False; otherwise it would be passed rows, not maps."""
    assert not get_tags(summarizer).input_tags.two_d_array, "the tag two_d_array is True"


def _quick(summarizer: Any) -> Any:
    """Return an unfitted copy with a fixed seed and, if it has epochs, one short epoch."""
    copy = fresh(summarizer)
    short = {"max_epochs": 1, "batch_size": 4}
    return copy.set_params(**{k: v for k, v in short.items() if k in copy.get_params()})


def _maps(y: NDArray[Any], n_channels: int = 1) -> NDArray[np.float32]:
    """Return probabilities (n, k, 12, 12), high in a corner of channel j if y is j + 1."""
    maps = np.random.default_rng(0).uniform(0, 0.3, (len(y), n_channels, 12, 12))
    for i, label in enumerate(y):
        if label:
            maps[i, label - 1, : 4 + i % 3, :6] += 0.65
    return maps.astype(np.float32)


def _assert_consistent(trained: Any, P: Any) -> None:
    probabilities = trained.predict_proba(P)
    assert probabilities.shape == (len(P), len(trained.classes_))
    assert np.isfinite(probabilities).all(), "probabilities are NaN or infinite"
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    expected = trained.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(trained.predict(P), expected)


CHECKS: tuple[Check, ...] = (
    check_summarizes,
    check_summarizes_several_classes,
    check_summarizes_many_labels,
    check_summarizes_lists,
    check_summarizes_each_alone,
    check_summarizes_constant_maps,
    check_summarizer_leaves_data,
    check_summarizer_is_fitted_first,
    check_summarizer_says_what_it_reads,
)
