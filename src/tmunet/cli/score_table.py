"""Scores as a table in the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tmunet.metrics import MIN_OBJECT_PIXELS, is_absent, mean_over_classes, scored_classes
from tmunet.text import pluralize, resampling_unit

if TYPE_CHECKING:
    from tmunet.evaluation import Evaluation

NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "hd": "HD (pixels)",
    "hd95": "HD95 (pixels)",
}
HEAD = ("", "mean", "SD", "median", "95 % interval of the mean")
NOT_THERE = (
    "  not in these images: no reference and no prediction shows it, so it has no scores and is in no mean over classes"
)


def score_table(evaluation: "Evaluation") -> str:
    """The summary of each class, with the counts of images and objects that are missed or false, and which groups were drawn."""
    parts = []
    for name, summary in evaluation.summaries.items():
        head = (
            f"{name}, {pluralize(summary['n'], evaluation.facts['subset'] + ' image')} of {evaluation.facts['data']}, "
            f"protocol {evaluation.protocol.name}:"
        )
        scores = [NOT_THERE] if is_absent(summary) else _scores(summary)
        parts.append("\n".join([head, *scores, *_ignored(summary)]))
    if len(evaluation.summaries) > 1:
        parts.append(_over_classes(evaluation.summaries))
    return "\n\n".join(parts)


def _scores(summary: Mapping[str, Any]) -> list[str]:
    rows = [HEAD]
    for metric, label in NAMES.items():
        values = summary["metrics"][metric]
        digits = 1 if metric.startswith("hd") else 3
        mean, sd, median, low, high = (_number(values[key], digits) for key in ("mean", "sd", "median", "low", "high"))
        rows.append((label, mean, sd, median, "-" if low == "-" else f"{low} to {high}"))
    left_out = f", left out of HD {summary['n_hd_left_out']}" if summary["n_hd_left_out"] else ""
    groups = summary["n_groups"]
    return [
        _aligned(rows),
        f"missed {summary['n_missed']}, false alarms {summary['n_false_alarm']}, "
        f"rightly empty {summary['n_both_empty']}{left_out}",
        *_objects(summary),
        *([] if groups is None else [f"95 % bootstrap intervals over {resampling_unit(summary['n'], groups)}"]),
    ]


def _objects(summary: Mapping[str, Any]) -> list[str]:
    sizes = ""
    if summary["objects_missed"]:
        middle, largest = summary["objects_missed_median_px"], summary["objects_missed_largest_px"]
        sizes = f" (median {middle:,.0f} px, largest {largest:,} px)"
    lines = [
        f"objects: {summary['objects']} in the reference, {summary['objects_missed']} missed{sizes}; "
        f"{summary['objects_false']} false"
    ]
    small, predicted = summary["objects_too_small"], summary["objects_too_small_predicted"]
    if small or predicted:
        lines.append(
            f"no objects, since below {MIN_OBJECT_PIXELS} px: {small} in the reference, {predicted} in the prediction"
        )
    return lines


def _ignored(summary: Mapping[str, Any]) -> list[str]:
    count = summary["n_ignored"]
    return [f"left out: {pluralize(count, 'image')} without a pixel that counts"] if count else []


def _over_classes(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    there, dice = len(scored_classes(summaries)), _number(mean_over_classes(summaries, "dice"), 3)
    classes = pluralize(len(summaries), "class", "classes")
    return f"mean Dice over {classes if there == len(summaries) else f'{there} of {classes}'}: {dice}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            [
                f"  {row[0]:{widths[0]}}",
                *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )
