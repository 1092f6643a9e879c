"""Evaluation report as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tmunet.errors import InputError
from tmunet.files import write_text
from tmunet.labels import IGNORE_LABEL
from tmunet.metrics import OBJECT_COLUMNS, Presence, describe, is_absent, scored_classes
from tmunet.metrics.bootstrap import count_groups
from tmunet.report import charts, panels
from tmunet.report import report_text as wording
from tmunet.report.page_assets import environment, hex_color
from tmunet.report.panels import COLORS, Panel, Pixel, ReportCase
from tmunet.report.select import RULE, dice_by_case, ranking, take
from tmunet.text import pluralize, resampling_unit

GROUPS = ("worst", "median", "best")


@dataclass(frozen=True)
class Report:
    """Content of an evaluation report.

    Args:
        title: model and data set, such as ``"tmunet_t on nuclei-sample"``.
        facts: provenance by name: model, data, split hash, seed, command, versions.
        protocol: description of the protocol.
        summaries: ``Summary.to_dict()`` by class name; the classes that were scored.
        per_image: one row for each image and class: ``{"case", "group", "class", "outcome", "dice",
            "iou", "f1", "precision", "recall", "hd", "hd95"}`` and the object counts, where they were counted; None where a
            value does not exist or a group is not known.
        history: one row for each epoch: ``{"epoch", "train_loss", "val_loss", "val_dice",
            "learning_rate"}``; None where a quantity was not measured; may be empty.
        cases: the images chosen by ``select_cases``, in any order; none for a page without pictures.
        classes: names of the labels; the index is the label, 0 is background.
        unit: of the distances, "pixels" or "mm".
        failure_detection: ``FailureDetection.to_dict()``; None where no confidence is known.
    """

    title: str
    facts: Mapping[str, str]
    protocol: str
    summaries: Mapping[str, Mapping[str, Any]]
    per_image: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, float | None]]
    cases: Sequence[ReportCase]
    classes: Sequence[str]
    unit: str = "pixels"
    failure_detection: Mapping[str, Any] | None = None

    @property
    def metrics(self) -> Mapping[str, wording.Metric]:
        """Formats of the metrics."""
        summary = next(iter(self.summaries.values()))
        return wording.metrics_of(summary["protocol"], self.unit)


@dataclass(frozen=True)
class ShownCase:
    """Case on the page; ``rank`` counts from 1, the lowest Dice."""

    case: ReportCase
    rank: int
    pictures: Sequence[Panel]


def render(report: Report) -> str:
    """Render a report as one self-contained HTML page, which makes no request; text from data is escaped.

    Args:
        report: scores, pictures and provenance.

    Returns:
        The HTML text.

    Raises:
        InputError: nothing was scored, ``summaries`` and ``per_image`` hold different classes, a class has no
            label, a mask holds a label without a class, or ``cases`` are not those of ``select_cases``.
    """
    _check_classes(report)
    ranked = ranking(report.per_image)
    groups = _groups(report, ranked)
    templates = environment()
    templates.globals.update(
        number=partial(wording.number, metrics=report.metrics),
        interval=partial(wording.interval, metrics=report.metrics),
        metric=partial(wording.metric, metrics=report.metrics),
        pluralize=pluralize,
    )
    best = charts.best_epoch(report.history)
    return str(
        templates.get_template("template.html.j2").render(
            report=report,
            headline=_headline(report),
            misses={name: wording.misses(summary) for name, summary in report.summaries.items()},
            strips={name: _strips(report, name) for name in scored_classes(report.summaries)},
            absent=[name for name, summary in report.summaries.items() if is_absent(summary)],
            groups=groups,
            ranked=len(ranked),
            rule=RULE,
            legend=_legend(report),
            outlines=[hex_color(COLORS[Pixel.MISSED]), hex_color(COLORS[Pixel.FALSE])],
            curves=_curves(report.history),
            best=best,
            metrics=report.metrics,
            objects=[name for name in OBJECT_COLUMNS if any(name in row for row in report.per_image)],
            outcomes=wording.OUTCOMES,
            rows=sorted(report.per_image, key=lambda row: not row.get("flags")),
            has_confidence=any("agreement" in row for row in report.per_image),
            reviews=wording.reviews(report.failure_detection),
            drawn=[outcome for outcome in wording.OUTCOMES if outcome != Presence.IGNORED],
        )
    )


def write_report(path: Path, report: Report) -> None:
    """Render a report and write it atomically.

    Args:
        path: the HTML file; its folder is made if need be.
        report: scores, pictures and provenance.

    Raises:
        InputError: as ``render``.
    """
    write_text(path, render(report))


def _check_classes(report: Report) -> None:
    if not report.summaries:
        raise InputError("Expected `summaries` to hold at least one class, but got none. Evaluate the model first.")
    if unknown := sorted(set(report.summaries) - set(report.classes)):
        raise InputError(f"Expected every scored class to be in {list(report.classes)}, but got {unknown}.")
    if (rows := {row["class"] for row in report.per_image}) != set(report.summaries):
        raise InputError(
            f"Expected `per_image` to hold the classes of `summaries`, {sorted(report.summaries)}, "
            f"but got {sorted(rows)}. Take both from one evaluation."
        )
    labels = set(range(len(report.classes)))
    for case in report.cases:
        for field, allowed in (("truth", {*labels, IGNORE_LABEL}), ("prediction", labels)):
            if strange := sorted(set(np.unique(getattr(case, field)).tolist()) - allowed):
                raise InputError(
                    f"Case {case.name!r}: expected labels 0 to {len(report.classes) - 1} in `{field}`, "
                    f"but got {strange}. Give a name in `classes` to every label."
                )


def _headline(report: Report) -> Mapping[str, Any]:
    if len(report.summaries) == 1:
        (summary,) = report.summaries.values()
        return {"n": summary["n"], **_drawn(summary["n"], summary["n_groups"]), **summary["metrics"]["dice"]}
    dice, group = dice_by_case(report.per_image), {row["case"]: row["group"] for row in report.per_image}
    groups = [group[case] for case in dice]
    of_set = describe({"dice": list(dice.values())}, groups=groups)["dice"]
    return {"n": len(dice), **_drawn(len(dice), count_groups(groups)), **asdict(of_set)}


def _drawn(images: int, groups: int | None) -> Mapping[str, str]:
    """Resampling unit of the bootstrap, if it is not the image."""
    if groups is None:
        return {"over": "", "unit": "image"}
    return {"over": f" over {resampling_unit(images, groups)}", "unit": "group of images"}


def _groups(report: Report, ranked: Sequence[str]) -> Mapping[str, Sequence[ShownCase]]:
    given = {case.name: case for case in report.cases}
    total = min(len(report.cases), len(ranked))
    chosen = take(ranked, total)
    expected = [name for group in GROUPS for name in chosen[group]]
    if sorted(case.name for case in report.cases) != sorted(expected):
        raise InputError(
            f"Expected `cases` to be those that select_cases(per_image) names, {expected}, "
            f"but got {[case.name for case in report.cases]}. Nobody should choose them by eye."
        )
    rank = {name: index for index, name in enumerate(ranked, start=1)}
    return {
        group: [ShownCase(given[name], rank[name], panels.panels(given[name])) for name in chosen[group]]
        for group in GROUPS
        if chosen[group]
    }


def _strips(report: Report, name: str) -> Sequence[charts.Strip]:
    rows = [row for row in report.per_image if row["class"] == name]
    return [
        charts.strip(rows, metric, report.summaries[name]["metrics"][metric], report.metrics)
        for metric in ("dice", "hd95")
    ]


def _curves(history: Sequence[Mapping[str, float | None]]) -> Sequence[charts.Curves]:
    losses = charts.curves(history, "Loss", {"train_loss": "training", "val_loss": "validation"})
    dice = charts.curves(history, "Validation Dice", {"val_dice": "validation"}, ceiling=1.0)
    return [chart for chart in (losses, dice) if chart is not None]


def _legend(report: Report) -> Sequence[tuple[str, str, str]]:
    meanings = {
        Pixel.HIT: ("hit", "true positive"),
        Pixel.MISSED: ("missed", "false negative"),
        Pixel.FALSE: ("false", "false positive"),
    }
    if len(report.classes) > 2:
        meanings[Pixel.CONFUSED] = ("wrong class", "foreground in both, of different classes")
    if any((case.truth == IGNORE_LABEL).any() for case in report.cases):
        meanings[Pixel.IGNORED] = ("ignored", "not scored")
    return [(hex_color(COLORS[kind]), name, meaning) for kind, (name, meaning) in meanings.items()]
