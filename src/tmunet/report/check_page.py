"""HTML page of `tmunet check`: the data set in numbers, its findings with pictures, and a sample of cases without findings."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image

from tmunet.check.findings import SEVERITIES, CaseFacts, CheckReport, Finding
from tmunet.data.cases import Case, DatasetInfo, find_cases
from tmunet.data.io.images import read_image
from tmunet.data.reader import load_case
from tmunet.data.split.leakage import Leak
from tmunet.errors import DataError, InputError
from tmunet.files import write_text
from tmunet.report.charts import histogram
from tmunet.report.drawing import shrink, thumbnail
from tmunet.report.page_assets import data_uri, environment, hex_color
from tmunet.report.report_text import DASH, percent
from tmunet.report.select import spread
from tmunet.report.text_layout import short_fault
from tmunet.text import pluralize
from tmunet.visualize import color, to_rgb8

FILES = 100  # of a kind that are listed
DRAWN = 126  # pictures beside findings; with the sample 150, which keeps a page below 6 MB
DRAWN_OF_KIND, DRAWN_TOGETHER = 48, 6
SAMPLE = 24  # cases without findings
LEAK = "leak"  # the kind of the findings that `CheckReport.leaks` has in full
LONGEST = 240  # pixels of a picture
CHANNELS = {1: "gray", 3: "RGB"}


@dataclass(frozen=True)
class FindingRow:
    """Row of the table of findings; ``more`` counts files that are not listed."""

    files: Sequence[str]
    more: int
    message: str


@dataclass(frozen=True)
class FigureGroup:
    """Cases drawn side by side, with their relation."""

    names: Sequence[str]
    words: str


@dataclass(frozen=True)
class Chapter:
    """Findings of one kind, the cases drawn beside them, and the number of cases not drawn."""

    kind: str
    findings: Sequence[Finding]
    drawn: Sequence[FigureGroup]
    undrawn: int

    @property
    def severity(self) -> str:
        """Worst severity of the findings."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index)

    @property
    def remedies(self) -> list[str]:
        """Distinct remedies."""
        return list(dict.fromkeys(finding.hint for finding in self.findings))

    @property
    def fixable(self) -> int:
        """Number of findings that ``--fix`` repairs."""
        return sum(finding.fixable for finding in self.findings)

    @property
    def rows(self) -> list[FindingRow]:
        """Rows of the table, up to 100 files."""
        rows, room = [], FILES
        for finding in self.findings:
            names = finding.files or finding.cases or ("the data set",)
            if room > 0:
                rows.append(FindingRow(names[:room], max(0, len(names) - room), finding.message))
            room -= len(names)
        return rows

    @property
    def listed(self) -> int:
        """Number of files in the table."""
        return sum(len(row.files) for row in self.rows)

    @property
    def unlisted(self) -> int:
        """Number of findings that are not in the table."""
        return len(self.findings) - len(self.rows)


def write_check_page(path: Path, report: CheckReport) -> None:
    """Write the result of a check as a self-contained HTML page with pictures of the cases.

    The page makes no request and runs no script; text from data is escaped.

    Args:
        path: HTML file; written atomically, its folder is created.
        report: of `check_dataset`; the images of its folder are read again.
    """
    write_text(path, render_check(report))


def render_check(report: CheckReport) -> str:
    """Render the page of `write_check_page`."""
    chapters = _chapters(report)
    wrong = {name for f in report.findings if f.severity != "note" for name in f.cases}
    shares = {case.name: sum(case.shares.values()) for case in report.cases if case.shares}
    clean = [case.name for case in report.cases if case.name not in wrong]
    clean.sort(key=lambda name: shares.get(name, 0.0))
    sample = spread(clean, SAMPLE)
    shown = [name for chapter in chapters for group in chapter.drawn for name in group.names]
    return str(
        environment()
        .get_template("check.html.j2")
        .render(
            report=report,
            severities=SEVERITIES,
            verdict=verdict(report),
            facts=facts(report),
            classes=[(hex_color(color(label)), *row) for label, row in enumerate(class_table(report), start=1)],
            chart=histogram(list(shares.values())),
            chapters=chapters,
            sample=sample,
            clean=len(clean),
            figures=draw_figures(report.folder, report.info, [*shown, *sample]),
            captions={case.name: caption(case) for case in report.cases},
        )
    )


def _chapters(report: CheckReport) -> list[Chapter]:
    kinds: dict[str, list[Finding]] = {}
    for finding in sorted(report.findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        kinds.setdefault(finding.kind, []).append(finding)
    groups = [_leaks(report) if kind == LEAK else _groups(found) for kind, found in kinds.items()]
    rooms = portions([min(DRAWN_OF_KIND, sum(len(group.names) for group in given)) for given in groups], DRAWN)
    return [
        Chapter(kind, found, drawn := _fitting(given, room), sum(len(group.names) for group in given[len(drawn) :]))
        for (kind, found), given, room in zip(kinds.items(), groups, rooms, strict=True)
    ]


def _groups(findings: Sequence[Finding]) -> list[FigureGroup]:
    """Group the cases of each finding: few, such as a pair, side by side; many one by one."""
    return [
        FigureGroup(names, finding.message)
        for finding in findings
        for names in ([finding.cases] if len(finding.cases) <= DRAWN_TOGETHER else zip(finding.cases, strict=True))
        if names
    ]


def _leaks(report: CheckReport) -> list[FigureGroup]:
    """Group the pairs of a leak; the findings name one of the two subsets only."""
    return [
        FigureGroup((leak.case, leak.relative), f"{comparison.side} and {comparison.other}: {similarity(leak)}")
        for comparison in (report.leaks.comparisons if report.leaks else ())
        for leak in comparison.leaks
    ]


def _fitting(groups: Sequence[FigureGroup], room: int) -> list[FigureGroup]:
    """Take the first groups that fit into the room, none in part."""
    ends = accumulate(len(group.names) for group in groups)
    return [group for group, end in zip(groups, ends, strict=True) if end <= room]


def portions(wanted: Sequence[int], total: int) -> list[int]:
    """Divide a total evenly among demands, none above its own; the rest goes to the larger ones.

    >>> portions([2, 50, 50], total=12)
    [2, 5, 5]
    """
    got = [0] * len(wanted)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        got[index] = min(wanted[index], total // (len(wanted) - done))
        total -= got[index]
    return got


def verdict(report: CheckReport) -> str:
    """State whether the data set can be used."""
    faults, warnings = report.count("fault"), report.count("warning")
    if faults:
        return f"Training and evaluation refuse this data set until {pluralize(faults, 'fault')} {_are(faults)} fixed."
    if warnings:
        return f"This data set can be used, but {pluralize(warnings, 'warning')} may bias scores: see below."
    return "No faults and no warnings."


def facts(report: CheckReport) -> Mapping[str, str]:
    """Facts about the data set by name: size, channels, bits, groups, ignored pixels, split, leaks."""
    cases = report.cases
    found = {
        "Folder": str(report.folder),
        "Files": f"{report.files:,} checked",
        "Cases": f"{len(cases):,} with an image and a mask that can be read",
    }
    if cases:
        found["Size"] = _sizes(cases)
        found["Channels"] = _tally([CHANNELS.get(case.channels, f"{case.channels} channels") for case in cases])
        found["Bits"] = _tally([f"{case.bits} bits" for case in cases])
        found["Groups"] = _group_sizes(cases)
    if report.info.ignore_label is not None:
        found["Ignored"] = f"pixels of the value {report.info.ignore_label}; drawn gray"
        if whole := sum(not case.shares for case in cases):
            found["Ignored"] += f"; all pixels of {pluralize(whole, 'case')}, not in the fractions here"
    if report.split is None:
        found["Split"] = "none, or not readable"
    else:
        found["Split"] = ", ".join(f"{len(names):,} {side}" for side, names in report.split.to_dict().items())
        words = "not searched" if report.leaks is None else str(report.leaks)
        found["Leaks"] = words[0].upper() + words[1:]
    return found


def class_table(report: CheckReport) -> Sequence[tuple[str, str, str, str]]:
    """Rows of the table of classes: name, mean fraction, largest fraction, number of cases with it."""
    rows = []
    for name in report.info.classes[1:]:
        shares = [case.shares[name] for case in report.cases if name in case.shares]
        mean, most = (percent(fmean(shares)), percent(max(shares))) if shares else (DASH, DASH)
        rows.append((name, mean, most, f"{sum(share > 0 for share in shares):,}" if shares else DASH))
    return rows


def caption(case: CaseFacts) -> str:
    """Foreground fraction (if the classes are known), size and group of a case."""
    share = [percent(sum(case.shares.values()))] if case.shares else []
    group = [] if case.group is None else [case.group]
    return " · ".join([*share, f"{case.width} × {case.height}", *group])


def similarity(leak: Leak) -> str:
    """Describe the similarity of two cases of a leak."""
    words = [] if leak.likeness is None else [f"correlation {leak.likeness:.3f}"]
    return ", ".join(words if leak.group is None else [*words, f"both of {leak.group}"])


def _sizes(cases: Sequence[CaseFacts]) -> str:
    sizes = sorted({(case.width, case.height) for case in cases}, key=lambda size: (size[0] * size[1], size))
    (low, lower), (high, higher) = sizes[0], sizes[-1]
    if len(sizes) == 1:
        return f"all {low} × {lower} pixels (width × height)"
    return f"{len(sizes):,} sizes, {low} × {lower} to {high} × {higher} pixels (width × height)"


def _group_sizes(cases: Sequence[CaseFacts]) -> str:
    members = Counter(case.group for case in cases if case.group is not None)
    if not members:
        return "not known (patients, video sequences, slides)"
    low, high = min(members.values()), max(members.values())
    each = f"{low:,} to {high:,} cases each" if low < high else f"{pluralize(low, 'case')} each"
    alone = len(cases) - sum(members.values())
    return f"{len(members):,}, {each}" + (f"; {pluralize(alone, 'case')} without one" if alone else "")


def _tally(words: Sequence[str]) -> str:
    counts = Counter(words).most_common()
    return (
        counts[0][0]
        if len(counts) == 1
        else ", ".join(f"{word} in {pluralize(count, 'case')}" for word, count in counts)
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


@dataclass(frozen=True)
class EncodedPicture:
    """Picture as a data URI, with its size in pixels, alternative text and label."""

    uri: str
    width: int
    height: int
    alt: str
    label: str


@dataclass(frozen=True)
class CaseFigure:
    """Figure of a case: its thumbnail; or its files as stored, and why there is no thumbnail."""

    name: str
    pictures: Sequence[EncodedPicture]
    reason: str | None = None


def draw_figures(folder: Path, info: DatasetInfo, names: Iterable[str]) -> Mapping[str, CaseFigure]:
    """Draw cases of a data set folder by name, in threads; a case that cannot be loaded shows its files as stored."""
    cases = {case.name: case for case in find_cases(folder)[0]}

    def draw(name: str) -> CaseFigure:
        if name not in cases:
            return CaseFigure(name, (), "There is no image of this name.")
        return _figure(cases[name], info)

    wanted = list(dict.fromkeys(names))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return dict(zip(wanted, pool.map(draw, wanted), strict=True))


def _figure(case: Case, info: DatasetInfo) -> CaseFigure:
    try:
        loaded = load_case(case, info)
    except DataError as error:
        stored = (_stored(case.name, "image", case.image), _stored(case.name, "mask", case.mask))
        return CaseFigure(
            case.name, [picture for picture in stored if picture is not None], short_fault(error.faults[0])
        )
    drawn = thumbnail(loaded.image, loaded.mask, LONGEST)
    return CaseFigure(
        case.name, (_picture(drawn, f"{case.name}: the image with the outline of its mask", "image and mask"),)
    )


def _stored(name: str, role: str, path: Path | None) -> EncodedPicture | None:
    if path is None:
        return None
    try:
        pixels = read_image(path)
    except InputError:
        return None
    if role == "mask":  # labels such as 1 and 2 would all look black
        pixels = (pixels * (255 / max(1, int(pixels.max())))).astype(np.uint8)
    return _picture(shrink(Image.fromarray(to_rgb8(pixels)), LONGEST), f"{name}: the {role} as it is stored", role)


def _picture(picture: Image.Image, alt: str, label: str) -> EncodedPicture:
    # Without subsampling: thin colored lines would lose their color.
    return EncodedPicture(data_uri(picture, "JPEG", quality=80, subsampling=0), *picture.size, alt, label)
