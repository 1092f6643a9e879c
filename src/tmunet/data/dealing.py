"""Deal cases out to the sides of a split, those that belong together to the same side.

What belongs together is a unit: the cases of a group, or images that are near twins. The sides shall have the sizes asked for,
and each stratum (cases of about the same foreground share) shall lie on every side in proportion. Whole units seldom allow
both to the last case. So the units are shuffled, each is given to the side where it mends most, and of many such deals the
best is taken: the one with the least

    X² = sum over b of [ sum over s of (n_bs - e_bs)² / e_bs  +  S · (n_b - size_b)² / size_b ],   e_bs = size_b · n_s / n

Here n_bs cases of stratum s lie on side b, S is the number of strata, and an index left out is summed over: Pearson's
statistic of strata by sides, with the sizes of the sides weighing as much as all strata together.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tmunet.errors import InputError

_LEAST_TRIES = 5
_UNITS_DEALT = 4_000  # in all tries together: few units need many tries and take little time each
_ALL = None  # the key of all cases, beside those of the strata

_Profile = Mapping[int | None, int]  # number of cases by stratum, and of all under _ALL


def largest_remainder(count: int, ratios: Sequence[float]) -> list[int]:
    """Sizes by the method of largest remainder: each is less than one off its share, and their sum is the count.

    >>> largest_remainder(12, (7, 1, 2))
    [9, 1, 2]
    """
    total = sum(map(Fraction, ratios))
    shares = [count * Fraction(ratio) / total for ratio in ratios]
    sizes = [int(share) for share in shares]
    by_remainder = sorted(range(len(ratios)), key=lambda side: sizes[side] - shares[side])
    for side in by_remainder[: count - sum(sizes)]:
        sizes[side] += 1
    return sizes


def deal(
    units: Sequence[Sequence[str]],
    ratios: Sequence[float],
    chance: random.Random,
    strata: Mapping[str, int] | None = None,
) -> list[list[str]]:
    """Deal units out to sides.

    The size wanted of a side is its share of the cases, by `largest_remainder`. No side gets more than that and one case
    less than the largest unit; so if all units are single cases, the sizes are exact. A side of a size above 0 gets a unit.

    Args:
        units: names of the cases that stay together; no name twice.
        ratios: shares of the sides, one of them above 0.
        chance: shuffles; the same state and the same units in the same order give the same sides.
        strata: stratum of each case; without it only the sizes count.

    Returns:
        The names on each side.

    Raises:
        InputError: fewer units than sides, or a unit larger than the largest side.
    """
    cases = sum(map(len, units))
    wanted = {side: size for side, size in enumerate(largest_remainder(cases, ratios)) if size > 0}
    _check_units(units, sum(ratio > 0 for ratio in ratios), max(wanted.values(), default=0))
    profiles = [_profile(unit, strata) for unit in units]
    present = Counter[int | None]()
    for profile in profiles:
        present.update(profile)
    expected = {side: {s: size * n / cases for s, n in present.items()} for side, size in wanted.items()}
    order = list(range(len(units)))
    least, best = float("inf"), dict[int, list[int]]()
    for _ in range(max(_LEAST_TRIES, _UNITS_DEALT // len(units))):
        chance.shuffle(order)
        dealt = _Deal(expected)
        for place, unit in enumerate(order):
            dealt.give(unit, profiles[unit], left=len(order) - place)
        if (statistic := dealt.statistic()) < least:
            least, best = statistic, dealt.hands
        if least == 0:
            break
    return [[name for unit in best.get(side, ()) for name in units[unit]] for side in range(len(ratios))]


def _check_units(units: Sequence[Sequence[str]], sides: int, most: int) -> None:
    cases = sum(map(len, units))
    rule = "Cases of one group and near twins stay on one side"
    if len(units) < sides:
        raise InputError(
            f"{rule}: expected at least {sides} such units for {sides} sides or folds, but {cases} cases make "
            f"{len(units)}. Add cases of other groups, ask for fewer sides or folds, or give finer groups."
        )
    largest = max(units, key=len)
    if len(largest) > most:
        raise InputError(
            f"{rule}: expected at most {most} cases to belong together, the size of the largest side or fold, but "
            f"{len(largest)} of {cases} do ({', '.join(largest[:3])} ...). Ask for a larger side or for fewer folds, add "
            "cases of other groups, or give finer groups."
        )


def _profile(unit: Sequence[str], strata: Mapping[str, int] | None) -> Counter[int | None]:
    profile = Counter[int | None](strata[name] for name in unit) if strata is not None else Counter[int | None]()
    profile[_ALL] = len(unit)
    return profile


class _Deal:
    """One deal: which units each side holds so far, and how far its cases of each stratum are from what is expected."""

    def __init__(self, expected: Mapping[int, Mapping[int | None, float]]) -> None:
        self.off = {side: {s: -e for s, e in strata.items()} for side, strata in expected.items()}  # n - e
        self.hands: dict[int, list[int]] = {side: [] for side in expected}
        self.weight = {
            side: {s: (max(1, len(strata) - 1) if s is _ALL else 1) / e for s, e in strata.items()}
            for side, strata in expected.items()
        }

    def give(self, unit: int, profile: _Profile, left: int) -> None:
        """Give a unit to the side that it suits best among those that have room; `left` units are not dealt yet."""
        sides = [side for side, hand in self.hands.items() if not hand]
        if left > len(sides):
            size = profile[_ALL]
            sides = [side for side, off in self.off.items() if off[_ALL] + size <= 0]
            sides = sides or [min(self.off, key=lambda side: self.off[side][_ALL])]
        best = min(sides, key=lambda side: self._growth(side, profile)) if len(sides) > 1 else sides[0]
        self.hands[best].append(unit)
        for s, u in profile.items():
            self.off[best][s] += u

    def _growth(self, side: int, profile: _Profile) -> float:
        """What X² grows by if the side gets the unit: (d + u)² - d² = u (2 d + u) of each term, where d = n - e."""
        off, weight = self.off[side], self.weight[side]
        growth = 0.0
        for s, u in profile.items():
            growth += weight[s] * u * (2 * off[s] + u)
        return growth

    def statistic(self) -> float:
        """X²."""
        return sum(self.weight[side][s] * d * d for side, off in self.off.items() for s, d in off.items())
