"""What a check saw of a data set, in words for its page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from tmunet.check.findings import CaseFacts, CheckReport
from tmunet.data.split.leakage import Leak
from tmunet.report.report_text import DASH, percent
from tmunet.text import pluralize

CHANNELS = {1: "gray", 3: "RGB"}


def verdict(report: CheckReport) -> str:
    """Say in a sentence or two whether the data set can be used."""
    faults, warnings = report.count("fault"), report.count("warning")
    if faults:
        return f"Training and evaluation refuse this data set until {pluralize(faults, 'fault')} {_are(faults)} mended."
    if warnings:
        return f"This data set can be used, but {pluralize(warnings, 'warning')} may spoil its numbers: look first."
    return "Nothing is wrong with this data set."


def facts(report: CheckReport) -> Mapping[str, str]:
    """What the cases have in common and in what they differ, by name."""
    cases = report.cases
    found = {
        "Folder": str(report.folder),
        "Files": f"{report.files:,} looked at",
        "Cases": f"{len(cases):,} with an image and a mask that can be read",
    }
    if cases:
        found["Size"] = _sizes(cases)
        found["Channels"] = _tally([CHANNELS.get(case.channels, f"{case.channels} channels") for case in cases])
        found["Bits"] = _tally([f"{case.bits} bits" for case in cases])
        found["Groups"] = _groups(cases)
    if report.info.ignore_label is not None:
        found["Ignored"] = f"pixels of the value {report.info.ignore_label}; drawn with a gray veil"
        if whole := sum(not case.shares for case in cases):
            found["Ignored"] += f"; all pixels of {pluralize(whole, 'case')}, which is in no share here"
    if report.split is None:
        found["Split"] = "none that can be read"
    else:
        found["Split"] = ", ".join(f"{len(names):,} {side}" for side, names in report.split.to_dict().items())
        words = "not looked for" if report.leaks is None else str(report.leaks)
        found["Leaks"] = words[0].upper() + words[1:]
    return found


def classes(report: CheckReport) -> Sequence[tuple[str, str, str, str]]:
    """Each class but the background: name, mean share, largest share, number of cases in which it is marked."""
    rows = []
    for name in report.info.classes[1:]:
        shares = [case.shares[name] for case in report.cases if name in case.shares]
        mean, most = (percent(fmean(shares)), percent(max(shares))) if shares else (DASH, DASH)
        rows.append((name, mean, most, f"{sum(share > 0 for share in shares):,}" if shares else DASH))
    return rows


def caption(case: CaseFacts) -> str:
    """Share of marked pixels, if the classes are known, size and group of a case."""
    share = [percent(sum(case.shares.values()))] if case.shares else []
    group = [] if case.group is None else [case.group]
    return " · ".join([*share, f"{case.width} × {case.height}", *group])


def likeness(leak: Leak) -> str:
    """Say what two cases of a leak have in common."""
    words = [] if leak.likeness is None else [f"correlation {leak.likeness:.3f}"]
    return ", ".join(words if leak.group is None else [*words, f"both of {leak.group}"])


def _sizes(cases: Sequence[CaseFacts]) -> str:
    sizes = sorted({(case.width, case.height) for case in cases}, key=lambda size: (size[0] * size[1], size))
    (low, lower), (high, higher) = sizes[0], sizes[-1]
    if len(sizes) == 1:
        return f"all {low} × {lower} pixels (width × height)"
    return f"{len(sizes):,} sizes, {low} × {lower} to {high} × {higher} pixels (width × height)"


def _groups(cases: Sequence[CaseFacts]) -> str:
    members = Counter(case.group for case in cases if case.group is not None)
    if not members:
        return "none are known (video sequences, patients, slides)"
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
