"""`tmunet show`: a contact sheet of a data set. Imports no torch."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmunet.cli.parser import parse
from tmunet.cli.paths import check_output_path, file_name
from tmunet.errors import DataError, UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.report.overview import CaseOverview, DatasetOverview

MAX_CASES = 1000  # more make a picture that viewers refuse


@dataclass(frozen=True)
class ShowConfig:
    """Draw a contact sheet: cases of a data set with the contours of every class, foreground fractions, groups and subsets."""

    data: str
    """Data set folder; it may have faults."""
    out: str | None = None
    """PNG file; by default NAME-sheet.png in the current folder."""
    subset: Literal["train", "val", "test", "all"] = "all"
    """Subset of split.json from which the cases are chosen."""
    count: int = 24
    """Cases to show, 1 to 1000; they are chosen evenly by foreground fraction."""
    seed: int = 0
    """Another seed chooses other cases, except for the smallest and the largest."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_CASES:
            raise UsageError(f"Expected `count` to be between 1 and {MAX_CASES}, but got {self.count}.", code="value")


def run(arguments: Sequence[str]) -> int:
    """Draw the sheet; the exit code is 1 if the data set has faults."""
    config = parse(ShowConfig, arguments, "show", positional={"data": "data set folder; it may have faults"})
    from tmunet.report.contact_sheet import draw_cells, draw_sheet, write_sheet
    from tmunet.report.overview import read_overview
    from tmunet.report.select import spread
    from tmunet.report.text_layout import escape_control

    data = Path(config.data)
    if config.out is not None:
        check_output_path(config.out, ".png", data)
    dataset = read_overview(data)
    path = check_output_path(config.out or f"{file_name(dataset.info.name)}-sheet.png", ".png", data)
    cases = _subset(dataset, config)
    ranked = sorted(cases, key=lambda case: -1.0 if case.foreground is None else case.foreground)
    cells = draw_cells(dataset, spread(ranked, config.count, config.seed))
    title = dataset.info.name + ("" if config.subset == "all" else f" · {config.subset}")
    write_sheet(path, draw_sheet(dataset, cells, len(cases), title))
    names = dataset.info.classes[1:]
    classes = ", ".join(names) if len(names) <= 5 else f"{len(names)} classes"
    print(
        f"{path}: {len(cells):,} of {len(cases):,} cases of {escape_control(title)}, with the contours of "
        f"{escape_control(classes)}."
    )
    faults = [*dataset.faults, *(cell.fault for cell in cells if cell.fault and cell.case.fault is None)]
    if faults:
        print(f"{pluralize(len(faults), 'fault')} found, the first: {escape_control(faults[0])}")
        print(f"All faults: tmunet check {shlex.quote(config.data)}")
    return 1 if faults else 0


def _subset(dataset: "DatasetOverview", config: ShowConfig) -> "tuple[CaseOverview, ...]":
    if config.subset == "all":
        return dataset.cases
    if dataset.split is None:
        if (Path(config.data) / "split.json").exists():
            raise DataError(config.data, dataset.faults)
        raise UsageError(
            f"There is no split.json in {config.data}; leave out --subset, or make one: tmunet split {shlex.quote(config.data)}",
            code="missing-split",
            path=config.data,
        )
    names = frozenset(dataset.split.to_dict()[config.subset])
    if not names:
        raise UsageError(
            f"The subset {config.subset!r} of {Path(config.data) / 'split.json'} holds no cases; show another one.",
            code="empty-subset",
            path=Path(config.data) / "split.json",
        )
    return tuple(case for case in dataset.cases if case.case.name in names)
