"""The occlusion check: cover one place of the square after the other and see how much of a class's probability is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

N_CELLS = 6  # by side: 36 covered squares


def cover_places(square: npt.NDArray[np.uint8], *, n_cells: int = N_CELLS) -> npt.NDArray[np.uint8]:
    """Return the square with one cell of a grid covered, once for each cell, row by row.

    A cover has the mean colour of the square's rim, which is mostly skin: a colour that no photo holds would itself
    change the answer.

    Args:
        square: Array (side, side, 3), uint8.
        n_cells: Cells a side.

    Returns:
        Array (n_cells ** 2, side, side, 3), uint8.
    """
    edges = np.linspace(0, square.shape[0], n_cells + 1).round().astype(int)
    colour = _colour_of_rim(square)
    covered = np.repeat(square[np.newaxis], n_cells**2, axis=0)
    for place in range(n_cells**2):
        row, column = divmod(place, n_cells)
        covered[place, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = colour
    return covered


def cover_round(square: npt.NDArray[np.uint8], *, across: float, down: float, width: float) -> npt.NDArray[np.uint8]:
    """Return the square with one round place covered, as ``cover_places`` covers its cells.

    Args:
        square: Array (side, side, 3), uint8.
        across, down: Of the place's middle, as shares of the side from the left and from the top.
        width: Of the place, as a share of the side; 0 covers nothing.
    """
    side = square.shape[0]
    rows, columns = np.ogrid[:side, :side]
    distance = (columns + 0.5 - across * side) ** 2 + (rows + 0.5 - down * side) ** 2
    covered = square.copy()
    covered[distance < (width * side / 2) ** 2] = _colour_of_rim(square)
    return covered


def _colour_of_rim(square: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
    rim = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    return np.asarray(rim.mean(axis=0).round())


def occlusion_map(
    square: npt.NDArray[np.uint8],
    probability: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]],
    *,
    n_cells: int = N_CELLS,
) -> npt.NDArray[np.float32]:
    """Return how much of a class's probability is lost when a place is covered; negative where covering raises it.

    Args:
        square: Array (side, side, 3), uint8.
        probability: (n, side, side, 3) squares -> the class's probability for each, (n,).
        n_cells: Cells a side.

    Returns:
        Array (n_cells, n_cells), float32, in [-1, 1].

    Reference: Zeiler & Fergus (2014), https://arxiv.org/abs/1311.2901
    """
    answers = probability(np.concatenate([square[np.newaxis], cover_places(square, n_cells=n_cells)]))
    return np.asarray((answers[0] - answers[1:]).reshape(n_cells, n_cells), np.float32)
