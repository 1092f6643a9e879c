"""Overview of a data set folder, even a faulty one: cases, foreground fractions, split and faults."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info
from tmunet.data.io.dicom import patient_of
from tmunet.data.io.masks import class_fractions, read_mask_and_legend
from tmunet.data.io.palettes import Legend
from tmunet.data.reader import collect_errors, palette_faults
from tmunet.data.split.splits import Split, read_split
from tmunet.errors import DataError
from tmunet.progress import progress_bar


@dataclass(frozen=True)
class CaseOverview:
    """Case with its foreground fractions, as far as its mask can be read.

    Attributes:
        case: name, files and group.
        shares: fraction of the pixels of each class but the background, 0 to 1; None without a valid mask.
        fault: why the mask is not valid.
        legend: palette of the mask, if it has one.
    """

    case: Case
    shares: Mapping[str, float] | None
    fault: str | None = None
    legend: Legend | None = None

    @property
    def foreground(self) -> float | None:
        """Foreground fraction, of all classes but the background together."""
        return None if self.shares is None else sum(self.shares.values())


@dataclass(frozen=True)
class DatasetOverview:
    """Data set folder with the faults of its file names, JSON files and masks.

    Attributes:
        info: of ``dataset.json``; background and foreground where ``dataset.json`` cannot be read.
        cases: all cases, in natural order.
        split: None if there is none or it cannot be read.
        faults: one line each.
    """

    info: DatasetInfo
    cases: tuple[CaseOverview, ...]
    split: Split | None
    faults: tuple[str, ...]


def read_overview(folder: Path) -> DatasetOverview:
    """Read an overview of a data set folder: all masks, in threads, and no image.

    Args:
        folder: holds ``images/`` and ``masks/``, perhaps ``dataset.json`` and ``split.json``.

    Raises:
        DataError: there are no images.
    """
    cases, faults = find_cases(folder)
    if not cases:
        raise DataError(str(folder), faults)
    info = collect_errors(faults, lambda: read_dataset_info(folder)) or DatasetInfo(folder.resolve().name)
    split = None
    if (folder / "split.json").exists():
        split = collect_errors(faults, lambda: read_split(folder / "split.json", [case.name for case in cases]))
    grouped = [
        replace(case, group=info.records[case.name].group if case.name in info.records else patient_of(case.image))
        for case in cases
    ]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = pool.map(lambda case: _read_case(case, info), grouped)
        overviews = tuple(progress_bar(read, total=len(cases), desc="masks", unit="mask", leave=False, delay=1))
    broken = [case.fault for case in overviews if case.fault is not None and case.case.mask is not None]
    broken += palette_faults([(str(case.case.mask), case.legend) for case in overviews])
    return DatasetOverview(info, overviews, split, tuple(faults + broken))


def _read_case(case: Case, info: DatasetInfo) -> CaseOverview:
    path = case.mask
    if path is None:
        return CaseOverview(case, None, f"{case.image}: has no mask.")
    faults: list[str] = []
    drawn = collect_errors(faults, lambda: read_mask_and_legend(path, info.classes, info.ignore_label))
    if drawn is None:
        return CaseOverview(case, None, faults[0])
    mask, legend = drawn
    return CaseOverview(case, class_fractions(mask, info.classes), legend=legend)
