"""Select the cases of a report by a rule: worst, median and best, or an even sample."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from tmunet.errors import InputError
from tmunet.report.report_text import known

_T = TypeVar("_T")

RULE = (
    "Images are ranked by their Dice, averaged over the classes; equal Dice is ordered by name. Shown are "
    "the lowest, the middle and the highest of this ranking, no image twice. Nobody chose them by eye. "
    "An image without a Dice value is not ranked."
)


def dice_by_case(per_image: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Average the Dice of each case over its classes.

    Args:
        per_image: rows with ``"case"`` and ``"dice"``, one for each image and class. A Dice of None is left
            out of the mean of its case; a case with no Dice at all is left out.

    Example:
        >>> dice_by_case([{"case": "a", "dice": 0.5}, {"case": "a", "dice": 1.0}])
        {'a': 0.75}
    """
    values: defaultdict[str, list[float]] = defaultdict(list)
    for row in per_image:
        dice = known(row["dice"])
        if dice is not None:
            values[row["case"]].append(dice)
    return {case: sum(found) / len(found) for case, found in values.items()}


def ranking(per_image: Sequence[Mapping[str, Any]]) -> list[str]:
    """Case names from the lowest to the highest ``dice_by_case``; equal Dice in order of name.

    Example:
        >>> ranking([{"case": "b", "dice": 0.9}, {"case": "a", "dice": 0.5}, {"case": "c", "dice": None}])
        ['a', 'b']
    """
    dice = dice_by_case(per_image)
    return sorted(dice, key=lambda case: (dice[case], case))


def take(ranked: Sequence[str], total: int) -> dict[str, list[str]]:
    """Take the best, the median and the worst cases of a ranking, ``total`` together.

    Best and worst get equally many, the median the rest. Best is in descending order, worst in ascending order.

    Args:
        ranked: case names from the lowest to the highest score.
        total: 0 to ``len(ranked)``.

    Example:
        >>> take(["a", "b", "c", "d"], total=4)
        {'best': ['d'], 'median': ['b', 'c'], 'worst': ['a']}
    """
    ends = (total + 1) // 3
    middle = total - 2 * ends
    start = (len(ranked) - middle) // 2
    return {
        "best": list(reversed(ranked))[:ends],
        "median": list(ranked[start : start + middle]),
        "worst": list(ranked[:ends]),
    }


def select_cases(per_image: Sequence[Mapping[str, Any]], count: int = 3) -> dict[str, list[str]]:
    """Select the worst, median and best cases of a report by mean Dice over classes.

    Args:
        per_image: rows with ``"case"`` and ``"dice"``, one for each image and class, as for ``dice_by_case``.
        count: cases in each group; fewer if there are fewer than ``3 * count`` images. One image alone is the median.

    Returns:
        ``{"best": [...], "median": [...], "worst": [...]}``; no case occurs twice.

    Raises:
        InputError: ``count`` is below 1.

    Example:
        >>> rows = [{"case": "a", "dice": 0.2}, {"case": "b", "dice": 0.9}, {"case": "c", "dice": 0.6}]
        >>> select_cases(rows, count=1)
        {'best': ['b'], 'median': ['c'], 'worst': ['a']}
    """
    if count < 1:
        raise InputError(f"Expected `count` to be at least 1, but got {count}.")
    ranked = ranking(per_image)
    return take(ranked, min(len(ranked), 3 * count))


def spread(ranked: Sequence[_T], count: int, seed: int = 0) -> list[_T]:
    """Sample a ranking evenly: the two ends, and one at random of each of equal parts between (stratified sampling).

    Args:
        ranked: items in order.
        count: sample size; all items if there are no more.
        seed: of the random choice between the ends.

    Raises:
        InputError: ``count`` is below 1.

    Example:
        >>> spread("abcdefghi", count=4)
        ['a', 'c', 'h', 'i']
    """
    if count < 1:
        raise InputError(f"Expected `count` to be at least 1, but got {count}.")
    if count >= len(ranked):
        return list(ranked)
    if count < 3:
        return [ranked[0], ranked[-1]] if count == 2 else [ranked[len(ranked) // 2]]
    inner, parts = len(ranked) - 2, count - 2
    chance = random.Random(seed)
    edges = [1 + part * inner // parts for part in range(parts + 1)]
    middle = [ranked[chance.randrange(low, high)] for low, high in pairwise(edges)]
    return [ranked[0], *middle, ranked[-1]]
