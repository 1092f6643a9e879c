"""Import plan of an importer: the facts of the data set, and which files make which case."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.datasets._build.archives import normalize_name, unsafe_name_reason
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.source import SourceFiles

Labels = NDArray[np.uint8]
ReadMask = Callable[[tuple[int, int]], Labels]
"""Reads the mask of a case: given (H, W) of its image, returns labels (H, W) from 0 to K - 1, and 255 to ignore."""
Subset = Literal["train", "val", "test"]

NOT_STATED = "not stated"  # for facts that nobody gave


@dataclass(frozen=True)
class DatasetFacts:
    """Facts of a data set for ``dataset.json`` and the dataset card.

    Attributes:
        version: of the importer; it counts up when the same source would give other masks, names or groups.
        classes: names; the index is the label.
        url: where the original is distributed.
        license: the terms, as the source states them.
        group: what a group of cases is, such as "video sequence"; None if the source does not record groups.
        layout: the files that the importer expects, for the error when they are missing.
        notes: sentences for the dataset card: known traps and how the importer handles them.
        ignore_label: 255 if the masks mark pixels to ignore with it.
    """

    name: str
    version: int
    classes: tuple[str, ...]
    modality: str
    url: str
    license: str
    citation: str
    layout: str
    group: str | None = None
    notes: tuple[str, ...] = ()
    ignore_label: int | None = None


@dataclass(frozen=True)
class PlannedCase:
    """One case.

    Attributes:
        name: of the case.
        image: key of its file in `SourceFiles.files`.
        masks: keys of its mask files.
        read_mask: how to read its mask.
        group: patient, video and the like.
        channels: keys of the files of further channels, where `image` holds the first alone.
    """

    name: str
    image: PurePosixPath
    masks: tuple[PurePosixPath, ...]
    read_mask: ReadMask
    group: str | None = None
    channels: tuple[PurePosixPath, ...] = ()


@dataclass(frozen=True)
class ImportPlan:
    """All cases of a source in natural order, the official split if there is one, and remarks about this download."""

    facts: DatasetFacts
    cases: Sequence[PlannedCase]
    official: Mapping[Subset, Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


Importer = Callable[[SourceFiles], ImportPlan]
"""Reads the names of the files (and small tables), decodes no image, and raises a `DatasetImportError` with all faults."""


def check_plan(plan: ImportPlan, source: SourceFiles) -> None:
    """Check a plan before any image is decoded.

    Raises:
        DatasetImportError: no cases; unsafe or clashing case names; files that are missing; an official split of other cases.
    """
    if not plan.cases:
        expected = f"expected {plan.facts.name} as its source distributes it: {plan.facts.layout}, but found no cases."
        raise DatasetImportError(source.location, [Fault("no-cases", "", expected)])
    names = [case.name for case in plan.cases]
    normalized = Counter(normalize_name(name) for name in names)
    known = frozenset(names)
    official = Counter(name for subset in plan.official.values() for name in subset)
    faults = [
        *(
            Fault("unsafe-name", repr(name), f"the case name {reason}", "rename the files")
            for name in names
            if (reason := _unsafe_reason(name))
        ),
        *(
            Fault("name-clash", repr(name), "another case has the same name on some systems", "rename its files")
            for name in names
            if normalized[normalize_name(name)] > 1
        ),
        *(
            Fault("missing-file", key, f"the case {case.name!r} needs this file, which is missing.")
            for case in plan.cases
            for key in (case.image, *case.channels, *case.masks)
            if key not in source.files
        ),
        *(
            Fault("official-split", repr(name), f"is in the official split {'twice' if name in known else 'but missing'}.")
            for name, count in official.items()
            if count > 1 or name not in known
        ),
    ]
    if faults:
        raise DatasetImportError(source.location, faults)


def _unsafe_reason(name: str) -> str | None:
    hidden = "is hidden, or has a slash" if name.startswith(".") or "/" in name else None
    return unsafe_name_reason(name) or hidden
