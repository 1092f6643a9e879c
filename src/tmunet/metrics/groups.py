"""Images that belong together: frames of one video sequence, images of one patient, parts of one slide.

Images of a group are alike. A bootstrap that draws them one by one takes them for so many independent looks and makes its
intervals too narrow; where groups are known, whole groups are drawn instead (C. Field and A. Welsh, Journal of the Royal
Statistical Society B 69, 2007, "randomized cluster bootstrap").
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Groups: TypeAlias = Sequence[str | None]
"""The group of each image, in the order of the images; an image whose group is not known (None) is one of its own."""


def number_groups(groups: Groups) -> npt.NDArray[np.int64]:
    """Number the groups in the order in which they come.

    Args:
        groups: of n images.

    Returns:
        For each image the number of its group, ``(n,)``, from 0 without gaps.

    Example:
        >>> number_groups(["video 1", None, "video 2", "video 1", None])
        array([0, 1, 2, 0, 3])

    """
    known: dict[tuple[str, str | int], int] = {}  # an image without a group stands for itself by its place
    keys = [("place", place) if group is None else ("group", group) for place, group in enumerate(groups)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def count_groups(groups: Groups | None) -> int | None:
    """Number of groups, images of their own among them; None where no group is known.

    Example:
        >>> count_groups(["video 1", None, "video 1"]), count_groups([None, None])
        (2, None)

    """
    if groups is None or all(group is None for group in groups):
        return None
    return len(set(number_groups(groups).tolist()))


def group_sums(values: npt.NDArray[np.float64], groups: Groups | None) -> npt.NDArray[np.float64]:
    """Sums over the images of each group.

    Args:
        values: of n images, ``(n, columns)``.
        groups: of the images, or None.

    Returns:
        By the number of the group, ``(groups, columns)``; the values as they are where no group is known.

    Example:
        >>> group_sums(np.array([[1.0], [2.0], [4.0]]), ["a", "b", "a"]).tolist()
        [[5.0], [2.0]]

    """
    count = count_groups(groups)
    if groups is None or count is None:
        return values
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, number_groups(groups), values)
    return sums
