"""Format the report of a check as text for a terminal."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from tmunet.check.findings import SEVERITIES, CheckReport, Finding
from tmunet.check.rules import shortened
from tmunet.text import pluralize

_SHOWN_FINDINGS = 8
_SHOWN_FILES = 3
_SHOWN_HINTS = 3


def as_text(report: CheckReport) -> str:
    """Format a report: findings by kind, worst first, at most eight of a kind, and the counts in the last line."""
    head = (
        f"{report.folder}: {pluralize(len(report.cases), 'case')} that can be read, {pluralize(report.files, 'file')}"
    )
    blocks = [f"{head}."]
    for (_, severity, kind, _), group in groupby(sorted(report.findings, key=_by_kind), key=_by_kind):
        blocks.append("\n".join(_block(severity, kind, list(group))))
    blocks.append(_counts(report))
    return printable("\n\n".join(blocks))


def printable(text: str) -> str:
    r"""Escape control characters and invalid Unicode for a terminal.

    >>> printable("a\x1b[2Jb.png")
    'a\\x1b[2Jb.png'
    """
    return re.sub(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]",
        lambda found: ascii(found[0])[1:-1],
        text,
    )


def _by_kind(finding: Finding) -> tuple[int, str, str, bool]:
    """Group by severity, kind and fixability."""
    return SEVERITIES.index(finding.severity), finding.severity, finding.kind, finding.fixable


def _block(severity: str, kind: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"{severity.upper()} {kind} ({len(findings):,})"
    for finding in findings[:_SHOWN_FINDINGS]:
        yield f"  {_place(finding)}{finding.message}"
    if len(findings) > _SHOWN_FINDINGS:
        yield f"  ... and {len(findings) - _SHOWN_FINDINGS:,} more (see --json)"
    hints = list(dict.fromkeys(finding.hint for finding in findings))
    for hint in hints[:_SHOWN_HINTS]:
        yield f"  -> {hint}"
    if len(hints) > _SHOWN_HINTS:
        yield f"  -> ... and {len(hints) - _SHOWN_HINTS:,} more (see --json)"


def _place(finding: Finding) -> str:
    if not finding.files:
        return ""
    return shortened(list(finding.files), _SHOWN_FILES) + ": "


def _counts(report: CheckReport) -> str:
    if not report.findings:
        return "No findings."
    counts = ", ".join(pluralize(report.count(severity), severity) for severity in SEVERITIES)
    fixable = sum(finding.fixable for finding in report.findings)
    return f"{counts}." + (
        f" --fix COPY fixes {fixable:,} of them, or sets the file aside, in a copy." if fixable else ""
    )
