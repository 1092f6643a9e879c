"""What can be seen of a data set folder, however imperfect it is: its cases, their shares and sides, and its faults."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info
from tmunet.data.io.masks import class_fractions, read_mask_and_legend
from tmunet.data.io.palettes import Legend
from tmunet.data.reader import collect_errors, palette_faults
from tmunet.data.split.splits import Split, read_split
from tmunet.errors import DataError


@dataclass(frozen=True)
class CaseOverview:
    """A case as far as its mask can be read.

    Attributes:
        case: name, files and group.
        shares: share of each class but the background, 0 to 1; None if there is no sound mask.
        fault: why there is none.
        legend: how the palette of the mask shows its labels, if it has one.
    """

    case: Case
    shares: Mapping[str, float] | None
    fault: str | None = None
    legend: Legend | None = None

    @property
    def foreground(self) -> float | None:
        """Share of all classes but the background together."""
        return None if self.shares is None else sum(self.shares.values())


@dataclass(frozen=True)
class Folder:
    """A data set folder and all that is wrong with its file names, its two JSON files and its masks.

    Attributes:
        info: what it says of itself; background and foreground where ``dataset.json`` cannot be read.
        glances: all cases, in natural order.
        split: None if there is none or it cannot be read.
        faults: one line each.
    """

    info: DatasetInfo
    glances: tuple[CaseOverview, ...]
    split: Split | None
    faults: tuple[str, ...]


def read_overview(folder: Path) -> Folder:
    """Decode all masks of a data set folder, in threads, and no image.

    Args:
        folder: holds ``images/`` and ``masks/``, perhaps ``dataset.json`` and ``split.json``.

    Raises:
        DataError: there are no images to look at.
    """
    cases, faults = find_cases(folder)
    if not cases:
        raise DataError(str(folder), faults)
    info = collect_errors(faults, lambda: read_dataset_info(folder)) or DatasetInfo(folder.resolve().name)
    split = None
    if (folder / "split.json").exists():
        split = collect_errors(faults, lambda: read_split(folder / "split.json", [case.name for case in cases]))
    grouped = [
        replace(case, group=info.records[case.name].group) if case.name in info.records else case for case in cases
    ]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        seen = pool.map(lambda case: _glance(case, info), grouped)
        glances = tuple(tqdm(seen, total=len(cases), desc="masks", unit="mask", leave=False, delay=1, disable=None))
    broken = [glance.fault for glance in glances if glance.fault is not None and glance.case.mask is not None]
    broken += palette_faults([(str(glance.case.mask), glance.legend) for glance in glances])
    return Folder(info, glances, split, tuple(faults + broken))


def _glance(case: Case, info: DatasetInfo) -> CaseOverview:
    path = case.mask
    if path is None:
        return CaseOverview(case, None, f"{case.image}: has no mask.")
    faults: list[str] = []
    drawn = collect_errors(faults, lambda: read_mask_and_legend(path, info.classes, info.ignore_label))
    if drawn is None:
        return CaseOverview(case, None, faults[0])
    mask, legend = drawn
    return CaseOverview(case, class_fractions(mask, info.classes), legend=legend)
