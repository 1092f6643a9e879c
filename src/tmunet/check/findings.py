"""Findings of `tmunet check`, and the report that holds them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tmunet.data.cases import DatasetInfo
from tmunet.data.split.leakage import LeakReport
from tmunet.data.split.splits import Split

Severity = Literal["fault", "warning", "note"]
"""fault: training and evaluation refuse it, or a class cannot be learned. warning: it may spoil numbers. note: good to know."""

SEVERITIES: tuple[Severity, ...] = ("fault", "warning", "note")
"""Worst first."""


@dataclass(frozen=True)
class Finding:
    """A fault, warning or note about a data set.

    Attributes:
        kind: stable code, such as "size-mismatch"; `tmunet.check.rules.RULES` has all of them.
        severity: fault, warning or note.
        message: what was expected and what was found.
        hint: what to do about it.
        files: affected files, relative to the data set folder, with forward slashes.
        cases: names of the affected cases.
        fixable: whether ``tmunet check DATA --fix COPY`` fixes it.
    """

    kind: str
    severity: Severity
    message: str
    hint: str
    files: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    fixable: bool = False


@dataclass(frozen=True)
class CaseFacts:
    """Facts about a case whose image and mask could be read: size of the upright image, `class_fractions` of the mask."""

    name: str
    group: str | None
    width: int
    height: int
    channels: int
    bits: int
    shares: Mapping[str, float]


@dataclass(frozen=True)
class CheckReport:
    """Report of a check.

    Attributes:
        folder: of the data set.
        info: content of ``dataset.json``; the defaults if it is damaged.
        findings: worst first, then by file.
        cases: that could be read, in natural order.
        files: number of inspected files.
        split: if there is one that can be read.
        leaks: data leakage of that split.
    """

    folder: Path
    info: DatasetInfo
    findings: tuple[Finding, ...]
    cases: tuple[CaseFacts, ...]
    files: int
    split: Split | None
    leaks: LeakReport | None

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def of_case(self, name: str) -> tuple[Finding, ...]:
        """Return the findings about a case."""
        return tuple(finding for finding in self.findings if name in finding.cases)

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "folder": str(self.folder),
            "name": self.info.name,
            "classes": list(self.info.classes),
            "ignore_label": self.info.ignore_label,
            "files": self.files,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "findings": [
                {**asdict(finding), "files": list(finding.files), "cases": list(finding.cases)}
                for finding in self.findings
            ],
            "cases": [asdict(case) for case in self.cases],
            "split": self.split.to_dict() if self.split else None,
            "leaks": self.leaks.to_dict() if self.leaks else None,
        }
