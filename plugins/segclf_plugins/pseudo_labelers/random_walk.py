"""IRNet's random walk, which spreads class maps up to boundaries.

Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel relations"
(IRNet), CVPR 2019, Section 5.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import dia_array

from segclf.isolation import isolated
from segclf_plugins.pseudo_labelers.inter_pixel import half_disc, path_affinity

__all__ = ["random_walk", "transition_matrix"]


def random_walk(
    maps: NDArray[Any],
    edge: NDArray[Any],
    *,
    radius: int = 5,
    beta: float = 10.0,
    n_steps: int = 256,
) -> NDArray[Any]:
    """Average each map repeatedly over near pixels, weighted by their affinity.

    The transition matrix is stored as a few diagonals, so time and memory are linear in the number
    of pixels. IRNet's own dense matrix is quadratic: 1 GB at 128 x 128.

    Parameters
    ----------
    maps : array (k, h, w)
        Maps to spread; the walk starts from ``maps * (1 - edge)``.
    edge : array (h, w)
        Probability of a boundary.
    radius : int
        Pixels nearer than this are neighbors: 34 pairs for IRNet's 5; CheXseg's code has 3.
    beta : float
        Power of the affinities; IRNet 10, CheXseg's code 5.
    n_steps : int
        Number of steps. IRNet and CheXseg's code square the matrix ``exp_times`` times (8 and 3),
        which makes ``2**8 = 256`` and 8 steps.

    Returns
    -------
    array (k, h, w)
        Maps in the precision of `maps`. They are averages: without edges, a constant map stays
        unchanged, but in general the sum over pixels changes.

    Examples
    --------
    >>> import numpy as np
    >>> start, wall = np.array([[[1.0, 0.0, 0.0, 0.0]]]), np.array([[0.0, 0.0, 1.0, 0.0]])
    >>> random_walk(start, wall).round(3)
    array([[[0.5, 0.5, 0. , 0. ]]])
    """
    matrix = transition_matrix(edge.astype(maps.dtype, copy=False), radius=radius, beta=beta)
    walked = (maps * (1 - edge)).astype(maps.dtype, copy=False).reshape(len(maps), -1)
    for row in walked:
        for _ in range(n_steps):
            row[...] = matrix @ row
    return walked.reshape(maps.shape)


@isolated()
def transition_matrix(edge: NDArray[Any], *, radius: int, beta: float) -> dia_array:
    """Return one step of the walk: affinities to the power `beta`, normalized for each pixel.

    Parameters
    ----------
    edge : array (h, w)
        Probability of a boundary.
    radius : int
        Pixels nearer than this are neighbors.
    beta : float
        Power of the affinities.

    Returns
    -------
    scipy.sparse.dia_array of shape (h * w, h * w)
        A step is ``matrix @ map``, and rows sum to 1. It is the transpose of IRNet's matrix, whose
        columns sum to 1.
    """
    offsets, diagonals = half_disc(radius), {0: np.ones_like(edge).ravel()}
    affinities = path_affinity(torch.from_numpy(edge)[None], offsets)[0].flatten(1).numpy() ** beta
    for (dy, dx), affinity in zip(offsets, affinities, strict=True):
        step = dy * edge.shape[1] + dx
        # Both directions. Values that roll over belong to pairs outside the image, whose affinity
        # is 0. On narrow maps, offsets share a diagonal, but no position in it.
        for diagonal, values in ((-step, affinity), (step, np.roll(affinity, step))):
            diagonals[diagonal] = diagonals.get(diagonal, 0) + values
    places = np.array(list(diagonals))
    matrix = dia_array((np.stack(list(diagonals.values())), places), shape=(edge.size, edge.size))
    total = matrix @ np.ones_like(edge).ravel()
    # SciPy stores column j of each diagonal at position j.
    for place, values in zip(places, matrix.data, strict=True):
        values /= np.roll(total, place)
    return matrix
