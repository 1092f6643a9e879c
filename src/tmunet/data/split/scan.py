"""Scan a data set for splitting: groups, signatures, foreground fractions and classes of every case, in one pass."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tmunet.data.cases import Case, DatasetInfo, natural_key
from tmunet.data.io.masks import class_fractions
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.data.split.near_duplicates import SAME_SCENE, Signature, clusters, find_similar_pairs, signature
from tmunet.errors import DataError
from tmunet.progress import progress_bar

_MAX_STRATA = 5  # of masks with foreground
_MIN_CASES = 10  # in a stratum


@dataclass(frozen=True)
class DatasetScan:
    """Facts about the cases of a data set, by case name.

    Attributes:
        groups: patient, video sequence or slide, where known.
        signatures: small copies of the images, to find images of the same scene.
        foreground_shares: share of everything but the background in the pixels that are not ignored, 0 to 1.
        classes: names of all classes but the background, in order of their labels.
        present: those of them on each case.
    """

    groups: Mapping[str, str]
    signatures: Mapping[str, Signature]
    foreground_shares: Mapping[str, float]
    classes: tuple[str, ...] = ()
    present: Mapping[str, Collection[str]] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """Cases that must not be separated: connected components of common groups and images of the same scene."""
        names = sorted(self.signatures, key=natural_key)
        pairs = [(i, j) for i, j, _ in find_similar_pairs([self.signatures[name] for name in names], SAME_SCENE)]
        first: dict[str, int] = {}
        pairs += [(first.setdefault(self.groups[name], i), i) for i, name in enumerate(names) if name in self.groups]
        members: dict[int, list[str]] = {}
        for name, cluster in zip(names, clusters(len(names), pairs), strict=True):
            members.setdefault(cluster, []).append(name)
        return tuple(map(tuple, members.values()))

    @cached_property
    def strata(self) -> dict[str, int]:
        """Stratum of each case by its foreground fraction."""
        return strata_of(self.foreground_shares)

    @property
    def to_balance(self) -> Mapping[str, Collection[str]] | None:
        """Classes on each case, if there are several; a single class is balanced by the strata."""
        return self.present if len(self.classes) > 1 else None


def strata_of(fractions: Mapping[str, float]) -> dict[str, int]:
    """Bin cases into strata of similar foreground fraction.

    Empty masks are stratum 0. The others are cut at quantiles, into one stratum for ten cases, at most 5.

    >>> strata_of({"a": 0.0, "b": 0.1, "c": 0.2})
    {'a': 0, 'b': 1, 'c': 1}
    """
    filled = sorted((share, natural_key(name), name) for name, share in fractions.items() if share > 0)
    count = min(_MAX_STRATA, max(1, len(filled) // _MIN_CASES))
    rank = {name: place * count // len(filled) for place, (_, _, name) in enumerate(filled)}
    return {name: rank.get(name, -1) + 1 for name in fractions}


def scan_cases(cases: Sequence[Case], info: DatasetInfo, where: str) -> DatasetScan:
    """Decode every image and mask once, with a progress bar; `where` names the data set in messages.

    Raises:
        DataError: all faults of the cases.
    """
    signatures: dict[str, Signature] = {}
    shares: dict[str, float] = {}
    present: dict[str, tuple[str, ...]] = {}
    with progress_bar(total=len(cases), desc="scan images", unit="image") as bar:

        def add(index: int, loaded: LoadedCase) -> None:
            name = cases[index].name
            signatures[name] = signature(loaded.image)
            fractions = class_fractions(loaded.mask, info.classes)
            shares[name] = sum(fractions.values())
            present[name] = tuple(label for label, fraction in fractions.items() if fraction > 0)
            bar.update()

        faults = map_cases(cases, info, add)
    if faults:
        raise DataError(where, faults)
    groups = {case.name: case.group for case in cases if case.group is not None}
    return DatasetScan(groups, signatures, shares, info.classes[1:], present)
