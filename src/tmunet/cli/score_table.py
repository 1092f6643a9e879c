"""Format the scores of an evaluation as a text table."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tmunet.metrics import (
    DISTANCES,
    METRIC_LABELS,
    MIN_OBJECT_PIXELS,
    is_absent,
    mean_over_classes,
    scored_classes,
)
from tmunet.metrics.failure_detection import FEW
from tmunet.text import missed_sizes, pluralize, resampling_unit, table

if TYPE_CHECKING:
    from tmunet.evaluation import Evaluation

HEADER = ("", "mean", "SD", "median", "95 % interval of the mean")
ABSENT = "  absent: no reference and no prediction shows this class; it has no scores and is in no mean over classes"


def score_table(evaluation: "Evaluation") -> str:
    """Format the summary of each class: metrics, missed and false images and objects, resampling unit of the intervals."""
    parts = []
    for name, summary in evaluation.summaries.items():
        title = (
            f"{name}, {pluralize(summary['n'], evaluation.facts['subset'] + ' image')} of {evaluation.facts['data']}, "
            f"protocol {evaluation.protocol.name}:"
        )
        scores = [ABSENT] if is_absent(summary) else _scores(summary)
        ignored = summary["n_ignored"]
        left_out = [f"left out: {pluralize(ignored, 'image')} in which every pixel is ignored"] if ignored else []
        parts.append("\n".join([title, *scores, *left_out]))
    if len(evaluation.summaries) > 1:
        parts.append(_over_classes(evaluation.summaries))
    if evaluation.failure_detection is not None:
        parts.append(failure_lines(evaluation.failure_detection))
    return "\n\n".join(parts)


def _scores(summary: Mapping[str, Any]) -> list[str]:
    rows = [HEADER]
    for metric, label in METRIC_LABELS.items():
        if metric == "f1" and summary["protocol"] == "strict":
            continue  # the Dice of an image is its F1
        values, unit = summary["metrics"][metric], ""
        write: Callable[[float | None], str] = partial(_number, digits=3)
        if metric in DISTANCES:
            unit = f" ({summary['unit']})"
            write = partial(_number, digits=1) if summary["unit"] == "pixels" else _significant
        elif metric == "dice" and summary["protocol"] == "strict":
            unit = " (= F1)"
        mean, sd, median, low, high = (write(values[key]) for key in ("mean", "sd", "median", "low", "high"))
        rows.append((f"{label}{unit}", mean, sd, median, "-" if low == "-" else f"{low} to {high}"))
    left_out = f", left out of HD {summary['n_hd_left_out']}" if summary["n_hd_left_out"] else ""
    groups = summary["n_groups"]
    return [
        table(rows[1:], rows[0]),
        f"missed {summary['n_missed']}, false alarms {summary['n_false_alarm']}, "
        f"true negatives {summary['n_both_empty']}{left_out}",
        *_objects(summary),
        *([] if groups is None else [f"95 % bootstrap intervals over {resampling_unit(summary['n'], groups)}"]),
    ]


def _objects(summary: Mapping[str, Any]) -> list[str]:
    lines = [
        f"objects: {summary['objects']} in the reference, {summary['objects_missed']} missed{missed_sizes(summary)}; "
        f"{summary['objects_false']} false"
    ]
    small, predicted = summary["objects_too_small"], summary["objects_too_small_predicted"]
    if small or predicted:
        lines.append(
            f"not counted, below {MIN_OBJECT_PIXELS} px: {small} in the reference, {predicted} in the prediction"
        )
    return lines


def failure_lines(found: Mapping[str, Any]) -> str:
    """Format how well confidence and flags find the masks that fail."""
    images, share = pluralize(found["n"], "image"), f"{100 * found['flagged'] / found['n']:.0f} %"
    failures, limit = found["failures"], f"Dice below {found['failure_dice']:g}"
    if not failures:
        return f"confidence: no failure ({limit}) among {images}; flagged: {found['flagged']} ({share})"
    caught = f"{found['caught']} of {pluralize(failures, 'failure')} ({limit}) among the {share} flagged"
    if min(failures, found["n"] - failures) < FEW:
        return f"confidence: {caught}; fewer than {FEW} failures or successes, too few for an AUROC"
    return (
        f"confidence: {caught}{_between(found['caught_low'], found['caught_high'], 'of the failures')}\n"
        f"AUROC {_number(found['auroc'], 3)}{_between(found['auroc_low'], found['auroc_high'])}, "
        f"AURC {found['aurc']:.3f} (best {found['aurc_best']:.3f}, random {found['aurc_random']:.3f})"
    )


def _between(low: float | None, high: float | None, what: str = "") -> str:
    if low is None or high is None:
        return ""
    ends = f"{100 * low:.0f} to {100 * high:.0f} % {what}" if what else f"{low:.3f} to {high:.3f}"
    return f" (95 % interval {ends})"


def _over_classes(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    scored, dice = len(scored_classes(summaries)), _number(mean_over_classes(summaries, "dice"), 3)
    classes = pluralize(len(summaries), "class", "classes")
    return f"mean Dice over {classes if scored == len(summaries) else f'{scored} of {classes}'}: {dice}"


def _significant(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
