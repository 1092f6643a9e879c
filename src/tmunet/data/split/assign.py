"""Assign groups of cases to the subsets of a split: stratified by foreground fraction and by class.

A group is a set of cases that must not be separated: of one patient, or images of the same scene. Each bin (train, val, test, or
a fold) shall have its share of the cases, of each stratum (cases of similar foreground fraction) and of each class. Groups are
shuffled, each is added to the bin where the statistic grows least, and of many such assignments the one with the least

    X² = sum over b of [ sum over s of (n_bs - e_bs)² / e_bs  +  S · (n_b - size_b)² / size_b ],   e_bs = size_b · n_s / n

is taken. Here n_bs cases of stratum s, or with class s, are in bin b, S is the number of strata and classes, and a missing index
is summed over: Pearson's statistic of strata and classes by bins, with the sizes of the bins weighing as much as all of those.

Classes are balanced as in iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011), by groups instead of cases: groups
with the rarest class first. Before, each bin gets a group of each class, again the rarest class first; of a class with fewer
groups than there are bins, in the order of precedence. An assignment in which a class is missing in fewer bins, compared at the
first bin, then at the second and so on, is better than any with a smaller X².
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from tmunet.errors import InputError

_MIN_TRIES = 5
_GROUPS_ASSIGNED = 4_000  # in all tries together: few groups need many tries, of little time each
_ALL = None  # the key of all cases, beside those of the strata and classes

_Key = int | str | None
_Profile = Mapping[_Key, int]  # number of cases by stratum, by class, and of all under _ALL
_Move = tuple[int, int, int]  # a group, its bin and the new bin


def largest_remainder(count: int, ratios: Sequence[float]) -> list[int]:
    """Divide a count by ratios with the method of largest remainder: each size is less than one off its share.

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
    groups: Sequence[Sequence[str]],
    ratios: Sequence[float],
    rng: random.Random,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
    precedence: Sequence[int] = (),
) -> list[list[str]]:
    """Assign groups to bins of given ratios, stratified.

    The target size of a bin is its share of the cases, by `largest_remainder`. Without classes a bin exceeds it by less than the
    size of the largest group, so groups of one case give exact sizes. With classes a bin may get more, where it would lack a
    class otherwise. A bin of a size above 0 gets a group.

    One class, or each of two, is in every bin of a size above 0 if it has as many groups as there are such bins. Of more
    classes this may be impossible, where they share few groups.

    Args:
        groups: names of the cases of each group; no name twice.
        ratios: shares of the bins, one of them above 0.
        rng: shuffles; the same state and the same groups in the same order give the same bins.
        strata: stratum of each case; without it only sizes and classes are balanced.
        classes: the classes on each case.
        precedence: the bins in the order in which they get a class that is too rare for all; by default as they come.

    Returns:
        The names in each bin.

    Raises:
        InputError: fewer groups than bins, or a group larger than the largest bin.
    """
    cases = sum(map(len, groups))
    sizes = {bin: size for bin, size in enumerate(largest_remainder(cases, ratios)) if size > 0}
    _check_groups(groups, sum(ratio > 0 for ratio in ratios), max(sizes.values(), default=0))
    profiles = [_profile(group, strata, classes) for group in groups]
    present = Counter[_Key]()
    for profile in profiles:
        present.update(profile)
    expected = {bin: {s: size * n / cases for s, n in present.items()} for bin, size in sizes.items()}
    rarest = _rarest_first(profiles)
    first = [bin for bin in precedence or range(len(ratios)) if bin in sizes]
    order = list(range(len(groups)))
    least: tuple[tuple[int, ...], float] | None = None
    best = dict[int, list[int]]()
    for _ in range(max(_MIN_TRIES, _GROUPS_ASSIGNED // len(groups))):
        rng.shuffle(order)
        assignment = _Assignment(expected, profiles)
        rest = assignment.seed_classes(order, rarest, first) if rarest else order
        for place, group in enumerate(rest):
            assignment.add(group, remaining=len(rest) - place)
        assignment.repair(rarest, first)
        rank = assignment.missing(rarest, first), assignment.statistic()
        if least is None or rank < least:
            least, best = rank, assignment.bins
        if rank[1] == 0:
            break
    return [[name for group in best.get(bin, ()) for name in groups[group]] for bin in range(len(ratios))]


def _check_groups(groups: Sequence[Sequence[str]], bins: int, most: int) -> None:
    cases = sum(map(len, groups))
    rule = "Cases of one group and images of the same scene stay in one subset"
    if len(groups) < bins:
        raise InputError(
            f"{rule}: expected at least {bins} groups for {bins} subsets or folds, but {cases} cases make "
            f"{len(groups)}. Add cases of other groups, ask for fewer subsets or folds, or give finer groups.",
            code="few-groups",
        )
    largest = max(groups, key=len)
    if len(largest) > most:
        raise InputError(
            f"{rule}: expected at most {most} cases in a group, the size of the largest subset or fold, but "
            f"{len(largest)} of {cases} are ({', '.join(largest[:3])} ...). Ask for a larger subset or for fewer folds, add "
            "cases of other groups, or give finer groups.",
            code="large-group",
        )


def _profile(
    group: Sequence[str], strata: Mapping[str, int] | None, classes: Mapping[str, Collection[str]] | None
) -> Counter[_Key]:
    profile = Counter[_Key](strata[name] for name in group) if strata is not None else Counter[_Key]()
    if classes is not None:
        profile.update(name for case in group for name in sorted(classes[case]))
    profile[_ALL] = len(group)
    return profile


def _rarest_first(profiles: Sequence[_Profile]) -> list[str]:
    """Sort the classes by their number of groups; names break ties, so that the order of cases has no effect."""
    counts = Counter(key for profile in profiles for key in profile if isinstance(key, str))
    return sorted(counts, key=lambda name: (counts[name], name))


class _Assignment:
    """Groups in each bin so far, with the difference of its counts from the expected ones."""

    def __init__(self, expected: Mapping[int, Mapping[_Key, float]], profiles: Sequence[_Profile]) -> None:
        self.profiles = profiles
        self.excess = {bin: {s: -e for s, e in kinds.items()} for bin, kinds in expected.items()}  # n - e
        self.bins: dict[int, list[int]] = {bin: [] for bin in expected}
        self.weight = {
            bin: {s: (max(1, len(kinds) - 1) if s is _ALL else 1) / e for s, e in kinds.items()}
            for bin, kinds in expected.items()
        }

    def seed_classes(self, order: Sequence[int], rarest: Sequence[str], first: Sequence[int]) -> list[int]:
        """Add a group of each class to each bin as far as there are any; return the rest, those with rare classes first."""
        rest = list(order)
        for name in rarest:
            for bin in first:
                empty = sum(not groups for groups in self.bins.values())
                if self._has(bin, name) or (self.bins[bin] and len(rest) <= empty):
                    continue
                if candidates := [group for group in rest if name in self.profiles[group]]:
                    room = -self.excess[bin][_ALL]
                    group = min(candidates, key=lambda group: max(0.0, self.profiles[group][_ALL] - room))
                    self._put(group, bin)
                    rest.remove(group)
        ranks = {name: rank for rank, name in enumerate(rarest)}
        return sorted(
            rest,
            key=lambda group: min((ranks[s] for s in self.profiles[group] if isinstance(s, str)), default=len(ranks)),
        )

    def add(self, group: int, remaining: int) -> None:
        """Add a group to the bin with room where the statistic grows least; `remaining` groups are not assigned yet."""
        profile = self.profiles[group]
        bins = [bin for bin, groups in self.bins.items() if not groups]
        if remaining > len(bins):
            size = profile[_ALL]
            bins = [bin for bin, excess in self.excess.items() if excess[_ALL] + size <= 0]
            bins = bins or [min(self.excess, key=lambda bin: self.excess[bin][_ALL])]
        best = min(bins, key=lambda bin: self._growth(bin, profile)) if len(bins) > 1 else bins[0]
        self._put(group, best)

    def repair(self, rarest: Sequence[str], first: Sequence[int]) -> None:
        """Move groups, one at a time, as long as a class is then missing in fewer bins."""
        least = self.missing(rarest, first)
        while any(least):
            lacking = [name for name in rarest if not all(self._has(bin, name) for bin in first)]
            moves = [move for name in lacking for move in self._moves(name)]
            ranked = sorted((self._after(move, rarest, first), move) for move in moves)
            if not ranked or ranked[0][0][0] >= least:
                return
            (least, _), best = ranked[0]
            self._move(*best)

    def missing(self, rarest: Sequence[str], first: Sequence[int]) -> tuple[int, ...]:
        """Count the classes that are missing in each bin."""
        return tuple(sum(not self._has(bin, name) for name in rarest) for bin in first)

    def statistic(self) -> float:
        """Compute X²."""
        return sum(self.weight[bin][s] * d * d for bin, excess in self.excess.items() for s, d in excess.items())

    def _growth(self, bin: int, profile: _Profile) -> float:
        """Growth of X² if the bin gets the group: (d + u)² - d² = u (2 d + u) of each term, where d = n - e."""
        excess, weight = self.excess[bin], self.weight[bin]
        growth = 0.0
        for s, u in profile.items():
            growth += weight[s] * u * (2 * excess[s] + u)
        return growth

    def _put(self, group: int, bin: int) -> None:
        self.bins[bin].append(group)
        for s, u in self.profiles[group].items():
            self.excess[bin][s] += u

    def _has(self, bin: int, name: str) -> bool:
        return any(name in self.profiles[group] for group in self.bins[bin])

    def _moves(self, name: str) -> Iterator[_Move]:
        """Every group with the class in a bin of several groups, with that bin and another one."""
        for bin, groups in self.bins.items():
            for group in groups if len(groups) > 1 else ():
                if name in self.profiles[group]:
                    yield from ((group, bin, other) for other in self.bins if other != bin)

    def _move(self, group: int, bin: int, other: int) -> None:
        self.bins[bin].remove(group)
        for s, u in self.profiles[group].items():
            self.excess[bin][s] -= u
        self._put(group, other)

    def _after(self, move: _Move, rarest: Sequence[str], first: Sequence[int]) -> tuple[tuple[int, ...], float]:
        group, bin, other = move
        self._move(group, bin, other)
        after = self.missing(rarest, first), self.statistic()
        self._move(group, other, bin)
        return after
