"""Checks that results depend on the seed only, and not on other images."""

import contextlib
import random
from typing import Any

import numpy as np
import torch

from segclf.testing.report import Check
from segclf.testing.samples import answer, assert_equal, fitted, fresh, make_samples


def check_same_seed(estimator: Any) -> None:
    """The same seed gives the same bits, regardless of global random generators."""
    samples = make_samples()
    state = _global_state()
    first = fitted(estimator)
    expected = answer(first, samples.images)
    try:
        _disturb_generators()
        assert_equal(
            answer(fitted(estimator), samples.images),
            expected,
            "another fit with the same random_state differs",
        )
        again = answer(first.fit(samples.images, samples.masks), samples.images)
        assert_equal(again, expected, "fitting again with the same random_state differs")
    finally:
        _restore_generators(state)


def check_global_state(estimator: Any) -> None:
    """``fit`` restores torch's generators, threads and flags."""
    before = _global_state()
    samples = make_samples()
    answer(fitted(estimator), samples.images)
    for name, value in _global_state().items():
        assert repr(value) == repr(before[name]), f"fit or predict changes {name}"


def check_restores_after_error(estimator: Any) -> None:
    """``fit`` restores them also when it fails."""
    before = _global_state()
    samples = make_samples()
    broken = np.where(samples.images == 255, np.nan, samples.images)
    with contextlib.suppress(ValueError):
        fresh(estimator).fit(broken, samples.masks)
    for name, value in _global_state().items():
        assert repr(value) == repr(before[name]), f"a fit that fails changes {name}"


def check_subset_invariance(estimator: Any) -> None:
    """An image gets the same prediction alone and with others, to 1e-7."""
    images = make_samples(n_samples=7).images
    trained = fitted(estimator)
    together = answer(trained, images)
    alone = np.concatenate([answer(trained, images[i : i + 1]) for i in range(len(images))])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-7)


def check_order_invariance(estimator: Any) -> None:
    """The order of the images does not change their predictions, to 1e-7."""
    images = make_samples(n_samples=7).images
    order = np.random.default_rng(0).permutation(len(images))
    trained = fitted(estimator)
    np.testing.assert_allclose(
        answer(trained, images[order]),
        answer(trained, images)[order],
        rtol=0,
        atol=1e-7,
    )


def _global_state() -> dict[str, Any]:
    # NumPy's legacy generator is global, so an estimator might change it.
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "random's generator": random.getstate(),
        "numpy's generator": {**state, "state": _listed(state["state"])},
        "torch's generator": torch.get_rng_state().tolist(),
        "the number of threads": torch.get_num_threads(),
        "the default dtype": torch.get_default_dtype(),
        "whether gradients are recorded": torch.is_grad_enabled(),
        "whether algorithms are deterministic": torch.are_deterministic_algorithms_enabled(),
        "the precision of products": torch.get_float32_matmul_precision(),
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
    }


def _listed(state: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in state.items()}


def _disturb_generators() -> None:
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    torch.manual_seed(99)


def _restore_generators(state: dict[str, Any]) -> None:
    numpy_state = state["numpy's generator"]
    random.setstate(state["random's generator"])
    np.random.set_state(numpy_state)  # noqa: NPY002
    torch.set_rng_state(torch.tensor(state["torch's generator"], dtype=torch.uint8))


CHECKS: tuple[Check, ...] = (
    check_same_seed,
    check_global_state,
    check_restores_after_error,
    check_subset_invariance,
    check_order_invariance,
)
