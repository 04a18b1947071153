"""Figures and grids of axes for displays. Only this module imports pyplot."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

INCHES_PER_TILE = 1.7


def new_figure(width: float, height: float) -> Any:
    """Return a new figure of the given size in inches.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib, which is not installed: pip install 'segclf[plot]'"
        ) from error
    figure = pyplot.figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.07)
    return figure


def grid_of_axes(ax: Any, n_tiles: int, n_columns: int) -> NDArray[Any]:
    """Return an axes for each tile: within the given axes or figure, or in a new figure."""
    n_columns = min(n_columns, n_tiles)
    n_rows = -(-n_tiles // n_columns)
    if ax is None:
        ax = new_figure(INCHES_PER_TILE * n_columns, 1.25 * INCHES_PER_TILE * n_rows)
    if hasattr(ax, "add_gridspec"):
        cells = ax.add_gridspec(n_rows, n_columns)
        return _add_axes(ax, cells, n_tiles)
    if hasattr(ax, "get_subplotspec"):
        ax.set_axis_off()
        cells = ax.get_subplotspec().subgridspec(n_rows, n_columns)
        return _add_axes(ax.figure, cells, n_tiles)
    given: NDArray[Any] = np.asarray(ax, dtype=object).ravel()
    if len(given) < n_tiles:
        raise ValueError(f"ax holds {len(given)} axes; expected one for each of {n_tiles} images.")
    return given[:n_tiles]


def _add_axes(figure: Any, cells: Any, n_tiles: int) -> NDArray[Any]:
    made: NDArray[Any] = np.empty(n_tiles, dtype=object)
    for tile in range(n_tiles):
        made[tile] = figure.add_subplot(cells[divmod(tile, cells.ncols)])
    return made
