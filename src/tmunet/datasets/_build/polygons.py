"""Fill drawn outlines."""

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
"""(N, 2) corners x, y in pixels, from the upper left corner of the upper left pixel; the last joins the first."""


def fill(outline: Outline, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels whose center an outline encloses.

    The center of the pixel in row i and column j lies at x = j + 0.5, y = i + 0.5. The rule is non-zero winding: what the
    outline goes round at least once, in sum, is inside, so that an outline that crosses itself has no holes. A center that
    lies exactly on an edge belongs to the right or lower side of that edge. Parts outside the picture are cut off.

    Args:
        outline: (N, 2) corners; fewer than three enclose nothing.
        size: (H, W) of the picture, in pixels.

    Returns:
        (H, W) bool.

    >>> fill(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]), (3, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    height, width = size
    ends = np.stack([outline, np.roll(outline, -1, axis=0)])  # (2, N, 2)
    downward = ends[0, :, 1] < ends[1, :, 1]
    # Every edge is taken from its upper end, so that two neighbors compute the same crossings for their common edge.
    (x, y), (lower_x, lower_y) = np.where(downward[:, None], ends, ends[::-1]).transpose(0, 2, 1)
    # An edge crosses the row i if y <= i + 0.5 < lower_y.
    first, last = (np.clip(np.ceil(end - 0.5), 0, height).astype(np.intp) for end in (y, lower_y))
    count = last - first
    edge = np.repeat(np.arange(len(outline)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (row + 0.5 - y[edge]) / (lower_y - y)[edge]
    crossing = x[edge] + share * (lower_x - x)[edge]
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)
    turns = np.zeros((height, width + 1), np.int32)
    np.add.at(turns, (row, column), np.where(downward, 1, -1)[edge])
    filled: NDArray[np.bool_] = turns.cumsum(axis=1)[:, :width] != 0
    return filled
