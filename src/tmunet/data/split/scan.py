"""What splitting needs to know of each case, found in one pass over a data set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tqdm import tqdm

from tmunet.data.cases import Case, DatasetInfo, natural_key
from tmunet.data.class_fractions import class_fractions
from tmunet.data.reader import LoadedCase, collect
from tmunet.data.split.near_duplicates import SAME_SCENE, Signature, clusters, find_similar_pairs, signature
from tmunet.errors import DataError

_MOST_STRATA = 5  # of masks with foreground
_LEAST_CASES = 10  # in a stratum


@dataclass(frozen=True)
class DatasetScan:
    """What is known of the cases of a data set, by name.

    Attributes:
        groups: video sequence, patient or slide, of those cases of which it is known.
        signatures: small copies of the images, to find near twins.
        foreground_shares: share of everything but the background in the pixels that are not ignored, 0 to 1.
        classes: names of all classes but the background, in order of their labels.
        present: those of them that are on each case.
    """

    groups: Mapping[str, str]
    signatures: Mapping[str, Signature]
    foreground_shares: Mapping[str, float]
    classes: tuple[str, ...] = ()
    present: Mapping[str, Collection[str]] = field(default_factory=dict)

    @cached_property
    def units(self) -> tuple[tuple[str, ...], ...]:
        """The cases that belong together, directly or through others: those of a group, and near twins."""
        names = sorted(self.signatures, key=natural_key)
        pairs = [(i, j) for i, j, _ in find_similar_pairs([self.signatures[name] for name in names], SAME_SCENE)]
        first: dict[str, int] = {}
        pairs += [(first.setdefault(self.groups[name], i), i) for i, name in enumerate(names) if name in self.groups]
        units: dict[int, list[str]] = {}
        for name, cluster in zip(names, clusters(len(names), pairs), strict=True):
            units.setdefault(cluster, []).append(name)
        return tuple(map(tuple, units.values()))

    @cached_property
    def strata(self) -> dict[str, int]:
        """The stratum of each case, as `strata_of` its foreground share."""
        return strata_of(self.foreground_shares)

    @property
    def to_balance(self) -> Mapping[str, Collection[str]] | None:
        """The classes on each case, if there are several; a single one is balanced by the strata, as it always was."""
        return self.present if len(self.classes) > 1 else None


def strata_of(shares: Mapping[str, float]) -> dict[str, int]:
    """Sort cases into strata of about the same foreground share.

    Empty masks are stratum 0. The others are cut at quantiles into as many strata as there are tens of them, 5 at most.

    >>> strata_of({"a": 0.0, "b": 0.1, "c": 0.2})
    {'a': 0, 'b': 1, 'c': 1}
    """
    filled = sorted((share, natural_key(name), name) for name, share in shares.items() if share > 0)
    count = min(_MOST_STRATA, max(1, len(filled) // _LEAST_CASES))
    rank = {name: place * count // len(filled) for place, (_, _, name) in enumerate(filled)}
    return {name: rank.get(name, -1) + 1 for name in shares}


def scan_cases(cases: Sequence[Case], info: DatasetInfo, where: str) -> DatasetScan:
    """Decode every image and mask once; a progress bar tells how far it is.

    Args:
        cases: what to look at; their groups are taken over.
        info: of the data set.
        where: the data set, as the user named it; for messages.

    Raises:
        DataError: all faults of the cases.
    """
    signatures: dict[str, Signature] = {}
    shares: dict[str, float] = {}
    present: dict[str, tuple[str, ...]] = {}
    with tqdm(total=len(cases), desc="look at images", unit="image", disable=None) as bar:

        def note(index: int, loaded: LoadedCase) -> None:
            name = cases[index].name
            signatures[name] = signature(loaded.image)
            covered = class_fractions(loaded.mask, info.classes)
            shares[name] = sum(covered.values())
            present[name] = tuple(label for label, share in covered.items() if share > 0)
            bar.update()

        faults = collect(cases, info, note)
    if faults:
        raise DataError(where, faults)
    groups = {case.name: case.group for case in cases if case.group is not None}
    return DatasetScan(groups, signatures, shares, info.classes[1:], present)
