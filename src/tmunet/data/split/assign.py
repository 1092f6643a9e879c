"""Deal cases out to the sides of a split, those that belong together to the same side.

What belongs together is a unit: the cases of a group, or images that are near twins. The sides shall have the sizes asked for,
and each stratum (cases of about the same foreground share) and each class shall lie on every side in proportion. Whole units
seldom allow all of it to the last case. So the units are shuffled, each is given to the side where it mends most, and of many
such deals the best is taken: the one with the least

    X² = sum over b of [ sum over s of (n_bs - e_bs)² / e_bs  +  S · (n_b - size_b)² / size_b ],   e_bs = size_b · n_s / n

Here n_bs cases of stratum s, or with class s, lie on side b, S is the number of strata and classes, and an index left out is
summed over: Pearson's statistic of strata and classes by sides, with the sizes of the sides weighing as much as all of those.

Classes are dealt as in iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011), in units instead of cases: the units
with the rarest class first. Before, each side gets a unit of each class, again the rarest class first; of a class with fewer
units than there are sides, the sides that take precedence. A deal in which a class is absent from fewer sides, counted on the
first side, then on the second and so on, is better than any with a smaller X².
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from tmunet.errors import InputError

_LEAST_TRIES = 5
_UNITS_DEALT = 4_000  # in all tries together: few units need many tries and take little time each
_ALL = None  # the key of all cases, beside those of the strata and classes

_Key = int | str | None
_Profile = Mapping[_Key, int]  # number of cases by stratum, by class, and of all under _ALL
_Step = tuple[int, int, int]  # a unit, the side that gives it and the side that gets it


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


def assign_groups(
    units: Sequence[Sequence[str]],
    ratios: Sequence[float],
    chance: random.Random,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
    precedence: Sequence[int] = (),
) -> list[list[str]]:
    """Deal units out to sides.

    The size wanted of a side is its share of the cases, by `largest_remainder`. Without classes no side gets more than that
    and one case less than the largest unit; so if all units are single cases, the sizes are exact. With classes a side may
    get more, where it would lack a class otherwise. A side of a size above 0 gets a unit.

    Of one class, and of two, each is on every side of a size above 0 if it has as many units as there are such sides. Of
    more classes this may be impossible, where they share their few units.

    Args:
        units: names of the cases that stay together; no name twice.
        ratios: shares of the sides, one of them above 0.
        chance: shuffles; the same state and the same units in the same order give the same sides.
        strata: stratum of each case; without it only the sizes and classes count.
        classes: the classes that are on each case, to be balanced between the sides.
        precedence: the sides in the order in which they get a class that is too rare for all; by default as they come.

    Returns:
        The names on each side.

    Raises:
        InputError: fewer units than sides, or a unit larger than the largest side.
    """
    cases = sum(map(len, units))
    wanted = {side: size for side, size in enumerate(largest_remainder(cases, ratios)) if size > 0}
    _check_units(units, sum(ratio > 0 for ratio in ratios), max(wanted.values(), default=0))
    profiles = [_profile(unit, strata, classes) for unit in units]
    present = Counter[_Key]()
    for profile in profiles:
        present.update(profile)
    expected = {side: {s: size * n / cases for s, n in present.items()} for side, size in wanted.items()}
    rarest = _rarest_first(profiles)
    first = [side for side in precedence or range(len(ratios)) if side in wanted]
    order = list(range(len(units)))
    least: tuple[tuple[int, ...], float] | None = None
    best = dict[int, list[int]]()
    for _ in range(max(_LEAST_TRIES, _UNITS_DEALT // len(units))):
        chance.shuffle(order)
        dealt = _Assignment(expected, profiles)
        left = dealt.seat(order, rarest, first) if rarest else order
        for place, unit in enumerate(left):
            dealt.give(unit, left=len(left) - place)
        dealt.mend(rarest, first)
        rank = dealt.missing(rarest, first), dealt.statistic()
        if least is None or rank < least:
            least, best = rank, dealt.hands
        if rank[1] == 0:
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


def _profile(
    unit: Sequence[str], strata: Mapping[str, int] | None, classes: Mapping[str, Collection[str]] | None
) -> Counter[_Key]:
    profile = Counter[_Key](strata[name] for name in unit) if strata is not None else Counter[_Key]()
    if classes is not None:
        profile.update(name for case in unit for name in sorted(classes[case]))
    profile[_ALL] = len(unit)
    return profile


def _rarest_first(profiles: Sequence[_Profile]) -> list[str]:
    """The classes by their number of units; names break ties, so that nothing depends on the order of cases."""
    units = Counter(key for profile in profiles for key in profile if isinstance(key, str))
    return sorted(units, key=lambda name: (units[name], name))


class _Assignment:
    """One deal: which units each side holds so far, and how far its cases of each kind are from what is expected."""

    def __init__(self, expected: Mapping[int, Mapping[_Key, float]], profiles: Sequence[_Profile]) -> None:
        self.profiles = profiles
        self.off = {side: {s: -e for s, e in kinds.items()} for side, kinds in expected.items()}  # n - e
        self.hands: dict[int, list[int]] = {side: [] for side in expected}
        self.weight = {
            side: {s: (max(1, len(kinds) - 1) if s is _ALL else 1) / e for s, e in kinds.items()}
            for side, kinds in expected.items()
        }

    def seat(self, order: Sequence[int], rarest: Sequence[str], first: Sequence[int]) -> list[int]:
        """Give each side a unit of each class as far as there are any; returns the others, those with rare classes first."""
        left = list(order)
        for name in rarest:
            for side in first:
                empty = sum(not hand for hand in self.hands.values())
                if self._shows(side, name) or (self.hands[side] and len(left) <= empty):
                    continue
                if having := [unit for unit in left if name in self.profiles[unit]]:
                    room = -self.off[side][_ALL]
                    unit = min(having, key=lambda unit: max(0.0, self.profiles[unit][_ALL] - room))
                    self._put(unit, side)
                    left.remove(unit)
        ranks = {name: rank for rank, name in enumerate(rarest)}
        return sorted(
            left,
            key=lambda unit: min((ranks[s] for s in self.profiles[unit] if isinstance(s, str)), default=len(ranks)),
        )

    def give(self, unit: int, left: int) -> None:
        """Give a unit to the side that it suits best among those that have room; `left` units are not dealt yet."""
        profile = self.profiles[unit]
        sides = [side for side, hand in self.hands.items() if not hand]
        if left > len(sides):
            size = profile[_ALL]
            sides = [side for side, off in self.off.items() if off[_ALL] + size <= 0]
            sides = sides or [min(self.off, key=lambda side: self.off[side][_ALL])]
        best = min(sides, key=lambda side: self._growth(side, profile)) if len(sides) > 1 else sides[0]
        self._put(unit, best)

    def mend(self, rarest: Sequence[str], first: Sequence[int]) -> None:
        """Move units, one at a time, as long as that makes a class absent from fewer sides."""
        least = self.missing(rarest, first)
        while any(least):
            lacking = [name for name in rarest if not all(self._shows(side, name) for side in first)]
            moves = [move for name in lacking for move in self._moves(name)]
            ranked = sorted((self._after(move, rarest, first), move) for move in moves)
            if not ranked or ranked[0][0][0] >= least:
                return
            (least, _), best = ranked[0]
            self._move(*best)

    def missing(self, rarest: Sequence[str], first: Sequence[int]) -> tuple[int, ...]:
        """How many classes are absent from each side."""
        return tuple(sum(not self._shows(side, name) for name in rarest) for side in first)

    def statistic(self) -> float:
        """X²."""
        return sum(self.weight[side][s] * d * d for side, off in self.off.items() for s, d in off.items())

    def _growth(self, side: int, profile: _Profile) -> float:
        """What X² grows by if the side gets the unit: (d + u)² - d² = u (2 d + u) of each term, where d = n - e."""
        off, weight = self.off[side], self.weight[side]
        growth = 0.0
        for s, u in profile.items():
            growth += weight[s] * u * (2 * off[s] + u)
        return growth

    def _put(self, unit: int, side: int) -> None:
        self.hands[side].append(unit)
        for s, u in self.profiles[unit].items():
            self.off[side][s] += u

    def _shows(self, side: int, name: str) -> bool:
        return any(name in self.profiles[unit] for unit in self.hands[side])

    def _moves(self, name: str) -> Iterator[_Step]:
        """What could be moved: a unit with the class, the side that holds it beside others, and another side."""
        for side, hand in self.hands.items():
            for unit in hand if len(hand) > 1 else ():
                if name in self.profiles[unit]:
                    yield from ((unit, side, other) for other in self.hands if other != side)

    def _move(self, unit: int, side: int, other: int) -> None:
        self.hands[side].remove(unit)
        for s, u in self.profiles[unit].items():
            self.off[side][s] -= u
        self._put(unit, other)

    def _after(self, move: _Step, rarest: Sequence[str], first: Sequence[int]) -> tuple[tuple[int, ...], float]:
        unit, side, other = move
        self._move(unit, side, other)
        after = self.missing(rarest, first), self.statistic()
        self._move(unit, other, side)
        return after
