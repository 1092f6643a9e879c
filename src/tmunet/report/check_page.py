"""The result of a check as one HTML page that needs nothing beside itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tmunet.check.findings import SEVERITIES, CheckReport, Finding
from tmunet.files import write_text
from tmunet.report import dataset_facts as facts
from tmunet.report.finding_figures import draw_figures
from tmunet.report.histogram import histogram
from tmunet.report.page_assets import environment, hex_color
from tmunet.report.select import spread
from tmunet.visualize import color

FILES = 100  # of a kind that are listed
DRAWN = 126  # pictures beside findings; with the sample 150, which keeps a page below 6 MB
DRAWN_OF_KIND, DRAWN_TOGETHER = 48, 6
SAMPLE = 24  # sound cases
LEAK = "leak"  # the kind of the findings that `CheckReport.leaks` has in full


@dataclass(frozen=True)
class Row:
    """Files of one finding and what it says; ``more`` counts the files that are not listed."""

    files: Sequence[str]
    more: int
    message: str


@dataclass(frozen=True)
class Group:
    """Cases that are drawn side by side, with what connects them."""

    names: Sequence[str]
    words: str


@dataclass(frozen=True)
class Chapter:
    """The findings of one kind, the cases that are drawn beside them, and the number of those that are not."""

    kind: str
    findings: Sequence[Finding]
    drawn: Sequence[Group]
    undrawn: int

    @property
    def severity(self) -> str:
        """How bad the kind is at its worst."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index)

    @property
    def mends(self) -> list[str]:
        """What to do, each way once."""
        return list(dict.fromkeys(finding.hint for finding in self.findings))

    @property
    def fixable(self) -> int:
        """Number of findings that ``--fix`` mends."""
        return sum(finding.fixable for finding in self.findings)

    @property
    def rows(self) -> list[Row]:
        """The table: up to 100 files."""
        rows, room = [], FILES
        for finding in self.findings:
            names = finding.files or finding.cases or ("the data set",)
            if room > 0:
                rows.append(Row(names[:room], max(0, len(names) - room), finding.message))
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
    """Show what a check found, with pictures of the cases concerned and of a sample of sound ones.

    The page makes no request: styles and pictures are inside it, it runs no script, and its content policy forbids any
    other source. Every text that comes from data is escaped.

    Args:
        path: the HTML file; written atomically, its folder is made if need be.
        report: of `check_dataset`; the files of its folder are read again for the pictures.
    """
    write_text(path, render_check(report))


def render_check(report: CheckReport) -> str:
    """Write the page of `write_check_page` as text."""
    chapters = _chapters(report)
    wrong = {name for f in report.findings if f.severity != "note" for name in f.cases}
    shares = {case.name: sum(case.shares.values()) for case in report.cases if case.shares}
    sound = [case.name for case in report.cases if case.name not in wrong]
    sound.sort(key=lambda name: shares.get(name, 0.0))
    sample = spread(sound, SAMPLE)
    shown = [name for chapter in chapters for group in chapter.drawn for name in group.names]
    return str(
        environment()
        .get_template("check.html.j2")
        .render(
            report=report,
            severities=SEVERITIES,
            verdict=facts.verdict(report),
            facts=facts.facts(report),
            classes=[(hex_color(color(label)), *row) for label, row in enumerate(facts.classes(report), start=1)],
            chart=histogram(list(shares.values())),
            chapters=chapters,
            sample=sample,
            sound=len(sound),
            figures=draw_figures(report.folder, report.info, [*shown, *sample]),
            captions={case.name: facts.caption(case) for case in report.cases},
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


def _groups(findings: Sequence[Finding]) -> list[Group]:
    """The cases of each finding: side by side if they are few, such as a pair; each alone if the finding is a list."""
    return [
        Group(names, finding.message)
        for finding in findings
        for names in ([finding.cases] if len(finding.cases) <= DRAWN_TOGETHER else zip(finding.cases, strict=True))
        if names
    ]


def _leaks(report: CheckReport) -> list[Group]:
    """The pairs themselves, of which the findings only name one side."""
    return [
        Group((leak.case, leak.relative), f"{comparison.side} and {comparison.other}: {facts.likeness(leak)}")
        for comparison in (report.leaks.comparisons if report.leaks else ())
        for leak in comparison.leaks
    ]


def _fitting(groups: Sequence[Group], room: int) -> list[Group]:
    """The first groups that fit together; none is torn apart."""
    ends = accumulate(len(group.names) for group in groups)
    return [group for group, end in zip(groups, ends, strict=True) if end <= room]


def portions(wanted: Sequence[int], total: int) -> list[int]:
    """Divide a total fairly: nobody gets more than they want, and what is left over goes to those who want more.

    >>> portions([2, 50, 50], total=12)
    [2, 5, 5]
    """
    got = [0] * len(wanted)
    for place, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        got[index] = min(wanted[index], total // (len(wanted) - place))
        total -= got[index]
    return got
