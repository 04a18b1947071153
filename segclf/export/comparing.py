"""Exported programs, run on noise and compared with the modules that they were traced from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.export.graph import ImageGraph

# Far above the rounding of a deep network in float32, and far below the effect of a wrong graph.
_TOLERANCE = 1e-3


def compare(graph: ImageGraph, run: Callable[[NDArray[Any]], Mapping[str, Any]]) -> None:
    """Raise if an exported program differs from the graph's modules, at any of several sizes.

    The median decides, since rounding may change the label of a pixel on a threshold.

    Parameters
    ----------
    graph : ImageGraph
        Graph with the estimator's own networks.
    run : callable
        Runs the exported program, from images (n, h, w, c) to outputs by name.

    Raises
    ------
    RuntimeError
        With the name of the output, and what to try.
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
            f"{difference:.2g}, so nothing was written. Try a fixed size: "
            "image_size=(height, width)."
        )
