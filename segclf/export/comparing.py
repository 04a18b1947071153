"""What was exported, run on noise and compared with the modules that it was traced from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.export.graph import ImageGraph

# Rounding of a deep network in float32 stays far below it, what a graph does wrongly far above.
_TOLERANCE = 1e-3


def compare(graph: ImageGraph, run: Callable[[NDArray[Any]], Mapping[str, Any]]) -> None:
    """Refuse what does not answer as the graph's modules do, in each of several sizes.

    A typical image decides: where a pixel lies on a threshold, rounding may change a label.

    Parameters
    ----------
    graph : ImageGraph
        With the estimator's own networks.
    run : callable
        From images (n, h, w, c) to the answers by name, as what was exported gives them.

    Raises
    ------
    RuntimeError
        With the name of the answer, and what to try.
    """
    for size in graph.images.sizes:
        images = graph.images.noise(size)
        with torch.inference_mode():
            expected = graph(torch.from_numpy(images))
        given = run(images)
        for name, values in expected.items():
            _compare_one(name, np.asarray(given[name]), values.numpy())


def _compare_one(name: str, given: NDArray[Any], expected: NDArray[Any]) -> None:
    difference = np.inf
    if given.shape == expected.shape:
        apart = np.abs(given.astype(np.float64) - expected).reshape(len(given), -1)
        difference = float(np.median(apart if name == "masks" else apart.max(axis=1)))
    if not difference <= _TOLERANCE:
        raise RuntimeError(
            f"The graph's {name} {given.shape} differ from the estimator's {expected.shape} by "
            f"{difference:.2g}, so that nothing was written. Try a fixed size: "
            "image_size=(height, width)."
        )
