"""`tmunet show`: a contact sheet of a data set. Loads no torch."""

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
    from tmunet.report.overview import CaseOverview, Folder

MOST = 1000  # cases on a sheet: more make a picture that viewers refuse


@dataclass(frozen=True)
class ShowConfig:
    """Draw a contact sheet: cases of a data set with the outline of every class, their shares, groups and sides."""

    data: str
    """Data set folder; it need not be in order."""
    out: str | None = None
    """PNG file; by default NAME-sheet.png in the current folder."""
    subset: Literal["train", "val", "test", "all"] = "all"
    """Side of split.json from which the cases are chosen."""
    count: int = 24
    """Cases to show, 1 to 1000; they are chosen evenly by the share of marked pixels."""
    seed: int = 0
    """Another seed chooses other cases, except for the smallest and the largest."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise UsageError(f"Expected `count` to be between 1 and {MOST}, but got {self.count}.")


def run(arguments: Sequence[str]) -> int:
    """Draw the sheet, and say what is on it; 1 if anything is wrong with the data set."""
    config = parse(ShowConfig, arguments, "show", positional={"data": "data set folder; it need not be in order"})
    from tmunet.report.contact_sheet import draw_cells, draw_sheet, write_sheet
    from tmunet.report.overview import read_overview
    from tmunet.report.select import spread
    from tmunet.report.text_layout import escape_control

    data = Path(config.data)
    if config.out is not None:
        check_output_path(config.out, ".png", data)
    folder = read_overview(data)
    path = check_output_path(config.out or f"{file_name(folder.info.name)}-sheet.png", ".png", data)
    glances = _side(folder, config)
    ranked = sorted(glances, key=lambda glance: -1.0 if glance.foreground is None else glance.foreground)
    cells = draw_cells(folder, spread(ranked, config.count, config.seed))
    title = folder.info.name + ("" if config.subset == "all" else f" · {config.subset}")
    write_sheet(path, draw_sheet(folder, cells, len(glances), title))
    names = folder.info.classes[1:]
    classes = ", ".join(names) if len(names) <= 5 else f"{len(names)} classes"
    print(
        f"{path}: {len(cells):,} of {len(glances):,} cases of {escape_control(title)}, with the outlines of "
        f"{escape_control(classes)}."
    )
    faults = [*folder.faults, *(cell.fault for cell in cells if cell.fault and cell.glance.fault is None)]
    if faults:
        print(f"{pluralize(len(faults), 'fault')} seen, the first: {escape_control(faults[0])}")
        print(f"To find all that is wrong: tmunet check {shlex.quote(config.data)}")
    return 1 if faults else 0


def _side(folder: "Folder", config: ShowConfig) -> "tuple[CaseOverview, ...]":
    if config.subset == "all":
        return folder.glances
    if folder.split is None:
        if (Path(config.data) / "split.json").exists():
            raise DataError(config.data, folder.faults)
        raise UsageError(
            f"There is no split.json in {config.data}; leave out --subset, or make one: tmunet split {shlex.quote(config.data)}"
        )
    names = frozenset(folder.split.to_dict()[config.subset])
    if not names:
        raise UsageError(
            f"The side {config.subset!r} of {Path(config.data) / 'split.json'} holds no cases; show another one."
        )
    return tuple(glance for glance in folder.glances if glance.case.name in names)
