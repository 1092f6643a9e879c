"""`tmunet split`: split a data set into train, val and test, or check an existing split for data leakage."""

import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmunet import __version__
from tmunet.cli.parser import parse
from tmunet.errors import TMUNetWarning, UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.data.dataset import Dataset
    from tmunet.data.split.planner import SplitReport
    from tmunet.data.split.scan import DatasetScan

GROUPS = (
    "Training reads groups from dataset.json alone: to be warned of leakage there too, put them under its key `cases`."
)


@dataclass(frozen=True)
class SplitConfig:
    """Split a data set into train, val and test without leakage, or check an existing split for leakage."""

    data: str
    """Data set folder."""
    kind: Literal["grouped", "random", "official"] = "grouped"
    """grouped: cases of one group (patient, video, slide) and images of the same scene stay in one subset. random: single cases.
    official: official_split.json of the data set, with val taken from train if it has none."""
    folds: int | None = None
    """Make k splits for k-fold cross-validation: each case is in test once (official: in val once, test is fixed)."""
    seed: int = 0
    """Seed of the shuffles."""
    ratios: str = "7:1:2"
    """Ratio of train, val and test."""
    stratify: bool = True
    """Balance the foreground fraction of the subsets and, with several classes, the number of images with each class."""
    groups: str | None = None
    """CSV file with the columns case,group; by default the groups in dataset.json."""
    split: str | None = None
    """Check this split file instead of making one; exit code 1 if it leaks."""
    out: str | None = None
    """Split file to write, with --folds the folder; by default split.json or folds in the data set folder. With --split
    the file of the report."""


def run(arguments: Sequence[str]) -> int:
    """Make or check a split."""
    config = parse(SplitConfig, arguments, "split", positional={"data": "data set folder"})
    command = shlex.join(["tmunet", "split", *arguments])
    return _make(config, command) if config.split is None else _check(config, command)


def _make(config: SplitConfig, command: str) -> int:
    from tmunet.data.split.planner import SplitPlan, describe_split, make_splits
    from tmunet.data.split.splits import read_official_split, write_split
    from tmunet.files import write_json

    plan = SplitPlan(config.kind, config.folds, config.seed, _ratios(config.ratios), config.stratify)
    paths = _paths(config)
    dataset = _open(config)
    names = [case.name for case in dataset.cases]
    official = read_official_split(dataset.folder, names) if plan.kind == "official" else None
    scan = _scan(dataset, config)
    splits = make_splits(plan, scan, official)
    lines, reports = [], {}
    for path, split in zip(paths, splits, strict=True):
        report = reports[path.stem] = describe_split(split, scan)
        write_split(path, split)
        facts = _facts(dataset, config, command) | {"split": path.name} | asdict(plan)
        write_json(_report_of(path), facts | report.to_dict())
        lines.append(f"{dataset.info.name}, {path.stem}: {plan.kind}, seed {plan.seed}\n{_describe(report)}\n")
        if config.groups and report.leaks.leaking:
            lines[-1] += f"{GROUPS}\n"
        if plan.kind == "random" and report.leaks.leaking:
            lines[-1] += "Scores on it are biased upward by leakage; --kind grouped avoids that.\n"
        lines[-1] += f"Split: {path}, SHA-256 {split.sha256}\nReport: {_report_of(path)}"
    print("\n\n".join(lines))
    _warn_of_absent_classes(config, reports, balanced=plan.stratified and plan.kind != "official")
    return 0


def _check(config: SplitConfig, command: str) -> int:
    from tmunet.data.split.planner import describe_split
    from tmunet.files import write_json

    unused = [
        field.name
        for field in fields(config)
        if field.name not in ("data", "split", "groups", "out") and getattr(config, field.name) != field.default
    ]
    if unused:
        raise UsageError(
            f"--split checks an existing split, so --{unused[0]} does not fit; leave one of them out.", code="flags"
        )
    out = Path(config.out) if config.out else None
    if out is not None:
        _refuse_existing(out)
    dataset = _open(config)
    report = describe_split(dataset.split, _scan(dataset, config))
    print(f"{dataset.info.name}, {config.split}\n{_describe(report)}\nSHA-256 {dataset.split.sha256}")
    _warn_of_absent_classes(config, {config.split or "": report}, balanced=False)
    if out is not None:
        write_json(out, _facts(dataset, config, command) | {"split": config.split} | report.to_dict())
        print(f"Report: {out}")
    return 1 if report.leaks.leaking else 0


def _warn_of_absent_classes(config: SplitConfig, reports: Mapping[str, "SplitReport"], balanced: bool) -> None:
    from tmunet.data.split.class_counts import absences

    remedy = (
        "Add images with it from other groups, or make fewer subsets (--ratios) or --folds."
        if balanced
        else f"A split that balances classes: tmunet split {config.data} --kind grouped"
    )
    for line in absences({name: report.classes for name, report in reports.items()}):
        warnings.warn(f"{config.data}: {line}. {remedy}", TMUNetWarning, stacklevel=2)


def _ratios(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = map(float, text.split(":"))
    except ValueError:
        raise UsageError(
            f"Expected `ratios` to be three numbers such as 7:1:2, but got {text!r}.", code="value"
        ) from None
    return train, val, test


def _paths(config: SplitConfig) -> list[Path]:
    """The split files to write, none of which exists."""
    if config.folds is None:
        path = Path(config.out or Path(config.data) / "split.json")
        if path.suffix.lower() != ".json":
            raise UsageError(
                f"Expected `out` to be a file that ends in .json, but got {path}.", code="suffix", path=path
            )
        _refuse_existing(path)
        _refuse_existing(_report_of(path))
        return [path]
    folder = Path(config.out or Path(config.data) / "folds")
    _refuse_existing(folder)
    return [folder / f"fold-{fold + 1}.json" for fold in range(config.folds)]


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError(
            f"{path}: exists already, and no split is overwritten; remove it, or write elsewhere with --out.",
            code="exists",
            path=path,
        )


def _report_of(path: Path) -> Path:
    return path.with_suffix(".report.json")


def _open(config: SplitConfig) -> "Dataset":
    from tmunet.data.dataset import open_dataset
    from tmunet.data.split.group_table import read_groups

    data = Path(config.data)
    if data.suffix.lower() == ".json" and not data.is_dir():
        raise UsageError(
            f"Expected a data set folder, but got {data}; to check that split: {data.parent} --split {data}",
            code="no-folder",
            path=data,
        )
    dataset = open_dataset(data, Path(config.split) if config.split else None)
    if config.groups is None:
        return dataset
    groups = read_groups(Path(config.groups), [case.name for case in dataset.cases])
    return replace(dataset, cases=tuple(replace(case, group=groups.get(case.name)) for case in dataset.cases))


def _scan(dataset: "Dataset", config: SplitConfig) -> "DatasetScan":
    from tmunet.data.split.scan import scan_cases

    return scan_cases(dataset.cases, dataset.info, config.data)


def _facts(dataset: "Dataset", config: SplitConfig, command: str) -> dict[str, Any]:
    return {
        "data": dataset.info.name,
        "command": command,
        "tmunet": __version__,
        "groups_from": config.groups or ("dataset.json" if any(case.group for case in dataset.cases) else None),
    }


def _describe(report: "SplitReport") -> str:
    from tmunet.data.split.leakage import describe_counts

    rows = [("", "cases", "share", "groups", "mean foreground")]
    for name, side in report.sides.items():
        foreground = side.mean_foreground_share
        shown = "-" if foreground is None else f"{foreground:.1%}"
        rows.append((name, str(side.cases), f"{side.share:.1%}", str(side.groups or "-"), shown))
    lines = _columns(rows)
    if report.classes:
        head = ("images with", *report.sides)
        lines += _columns([head, *((count.name, *map(str, count.images.values())) for count in report.classes)])
    cases = sum(side.cases for side in report.sides.values())
    lines.append(
        f"{pluralize(cases, 'case')}, {pluralize(report.units, 'unit')} (a group, images of the same scene, or a single case)."
    )
    if report.left_out:
        lines.append(f"In no subset: {pluralize(report.left_out, 'case')}.")
    lines += [f"Leaks: {sentence}." for sentence in describe_counts(report.leaks.counts())]
    if report.without_group:
        lines.append(
            f"The group (video sequence, patient, slide) of {pluralize(report.without_group, 'case')} is not known: of them "
            "only images of the same scene are found. Give groups with --groups."
        )
    return "\n".join(lines)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [f"  {first:{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))]
        )
        for first, *cells in rows
    ]
