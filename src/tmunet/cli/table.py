"""Scores as a table in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tmunet.counted import counted, drawn_from

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


def score_table(evaluation: "Evaluation") -> str:
    """The summary of each class, with the counts of images and objects that are missed or false, and which groups were drawn."""
    parts = []
    for name, summary in evaluation.summaries.items():
        rows = [HEAD]
        for metric, label in NAMES.items():
            values = summary["metrics"][metric]
            digits = 1 if metric.startswith("hd") else 3
            mean, sd, median, low, high = (
                _number(values[key], digits) for key in ("mean", "sd", "median", "low", "high")
            )
            rows.append((label, mean, sd, median, "-" if low == "-" else f"{low} to {high}"))
        groups = summary["n_groups"]
        drawn = "" if groups is None else f"\n95 % bootstrap intervals over {drawn_from(summary['n'], groups)}"
        left_out = f", left out of HD {summary['n_hd_left_out']}" if summary["n_hd_left_out"] else ""
        parts.append(
            f"{name}, {counted(summary['n'], evaluation.facts['subset'] + ' image')} of {evaluation.facts['data']}, "
            f"protocol {evaluation.protocol.name}:\n{_aligned(rows)}\n"
            f"missed {summary['n_missed']}, false alarms {summary['n_false_alarm']}, "
            f"rightly empty {summary['n_both_empty']}{left_out}\n"
            f"objects: {summary['objects']} in the reference, {summary['objects_missed']} missed; "
            f"{summary['objects_false']} false{drawn}"
        )
    return "\n\n".join(parts)


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
