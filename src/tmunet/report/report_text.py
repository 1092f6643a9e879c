"""Format metrics, intervals and counts of missed lesions for report pages."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tmunet.metrics import DISTANCES, METRIC_LABELS, MIN_OBJECT_PIXELS, is_absent
from tmunet.metrics.failure_detection import FEW
from tmunet.text import missed_sizes, pluralize

DASH = "–"


@dataclass(frozen=True)
class Metric:
    """Label, unit (empty for a ratio), format, and the metric of the same value."""

    label: str
    unit: str = ""
    format: str = ".3f"
    equals: str = ""

    @property
    def heading(self) -> str:
        """Label with unit or equal, such as ``"HD95 (pixels)"`` and ``"Dice (= F1)"``."""
        note = self.unit or (self.equals and f"= {self.equals}")
        return f"{self.label} ({note})" if note else self.label


def metrics_of(protocol: str, unit: str = "pixels") -> Mapping[str, Metric]:
    """Formats of the metrics of a protocol, distances in a unit; under strict, F1 is the Dice and is shown once.

    >>> [one.heading for one in metrics_of("strict", "mm").values()]
    ['Dice (= F1)', 'IoU', 'Precision', 'Recall', 'HD (mm)', 'HD95 (mm)']
    """
    distance = ".1f" if unit == "pixels" else ".3g"
    formats = {
        name: Metric(label, unit, distance) if name in DISTANCES else Metric(label)
        for name, label in METRIC_LABELS.items()
    }
    if protocol == "strict":
        del formats["f1"]
        formats["dice"] = Metric(formats["dice"].label, equals=METRIC_LABELS["f1"])
    return formats


METRICS: Mapping[str, Metric] = metrics_of("paper")

OUTCOMES: Mapping[str, str] = {
    "found": "found",
    "missed": "missed",
    "false_alarm": "false alarm",
    "both_empty": "true negative",
    "ignored": "ignored",
}


def metric(name: str, metrics: Mapping[str, Metric] = METRICS) -> Metric:
    """Look up the format of a metric; one not in ``metrics`` has its own name and 3 decimals."""
    return metrics.get(name, Metric(name))


def known(value: float | None) -> float | None:
    """Return the value, or None where it is missing or not finite.

    Example:
        >>> known(0.5), known(None), known(float("inf"))
        (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None, name: str = "", metrics: Mapping[str, Metric] = METRICS) -> str:
    """Format a value of the metric ``name``: 3 decimals, 1 for pixels, a dash where there is no value.

    Example:
        >>> number(0.91234, "dice"), number(12.345, "hd95"), number(None, "hd")
        ('0.912', '12.3', '–')
    """
    value = known(value)
    return DASH if value is None else f"{value:{metric(name, metrics).format}}"


def interval(low: float | None, high: float | None, name: str = "", metrics: Mapping[str, Metric] = METRICS) -> str:
    """Format an interval, ``"0.893 to 0.928"``, or a dash where it does not exist."""
    low, high = known(low), known(high)
    return DASH if low is None or high is None else f"{number(low, name, metrics)} to {number(high, name, metrics)}"


def percent(share: float) -> str:
    """Format a fraction of the pixels as percent.

    >>> [percent(share) for share in (0, 0.0004, 0.1234, 0.9999, 1)]
    ['0 %', '<0.1 %', '12.3 %', '>99.9 %', '100 %']
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    return "<0.1 %" if share < 0.001 else ">99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def misses(summary: Mapping[str, Any]) -> list[str]:
    """Report false negatives and false positives in sentences, by image and by object.

    Args:
        summary: ``Summary.to_dict()`` of one class.

    Example:
        >>> counts = {"n": 9, "n_ignored": 0, "n_missed": 0, "n_false_alarm": 1, "n_both_empty": 0, "n_hd_left_out": 0}
        >>> objects = {"objects": 12, "objects_missed": 0, "objects_false": 0}
        >>> small = {"objects_too_small": 0, "objects_too_small_predicted": 0}
        >>> misses({**counts, **objects, **small})[0]
        'Missed in no image: wherever the reference marks it, the model marked something.'
    """
    ignored = [f"Left out: {pluralize(summary['n_ignored'], 'image')} in which every pixel is ignored."] * bool(
        summary["n_ignored"]
    )
    if is_absent(summary):
        images = pluralize(summary["n"], "image")
        return [
            f"Not in these images: no reference and no prediction of {images} shows it, so it is not scored.",
            *ignored,
        ]
    total, missed, false = summary["n"], summary["n_missed"], summary["n_false_alarm"]
    empty, left_out = summary["n_both_empty"], summary["n_hd_left_out"]
    sentences = [
        f"Missed in {missed:,} of {pluralize(total, 'image')}: the reference marks it, the model marked nothing."
        if missed
        else "Missed in no image: wherever the reference marks it, the model marked something.",
        f"False alarm in {false:,} of {pluralize(total, 'image')}: the reference is empty, the model marked something."
        if false
        else "False alarm in no image: wherever the reference is empty, the model marked nothing.",
    ]
    sentences.append(
        f"Objects (connected components): {summary['objects_missed']:,} of {summary['objects']:,} in the reference are "
        f"missed{missed_sizes(summary)}; {summary['objects_false']:,} predicted ones are false positives."
    )
    small, predicted = summary["objects_too_small"], summary["objects_too_small_predicted"]
    if small or predicted:
        sentences.append(
            f"Too small to be objects, below {MIN_OBJECT_PIXELS} px: {small:,} components in the reference, {predicted:,} in the "
            "prediction."
        )
    if empty:
        sentences.append(f"True negatives (both masks empty): {pluralize(empty, 'image')}.")
    if left_out:
        sentences.append(f"HD and HD95 leave out {pluralize(left_out, 'image')} where they do not exist.")
    return sentences + ignored


def reviews(found: Mapping[str, Any] | None) -> list[str]:
    """Sentences on how well confidence and flags find the masks that fail; none where no confidence is known.

    Args:
        found: ``FailureDetection.to_dict()``.
    """
    if found is None:
        return []
    flagged = f"{found['flagged']} of {pluralize(found['n'], 'image')} flagged for review"
    if not found["failures"]:
        return [f"{flagged}; no failure, which is a Dice below {found['failure_dice']:g}."]
    interval = ""
    enough = min(found["failures"], found["n"] - found["failures"]) >= FEW
    if enough and found["caught_low"] is not None:
        interval = f" (95 % interval {100 * found['caught_low']:.0f} to {100 * found['caught_high']:.0f} %)"
    failures = pluralize(found["failures"], "failure")
    sentences = [
        f"{flagged}, {found['caught']} of {failures} (Dice below {found['failure_dice']:g}) among them{interval}."
    ]
    if enough and found["auroc"] is not None:
        sentences.append(f"AUROC of the agreement for failures {found['auroc']:.3f}: 1 is perfect, 0.5 is chance.")
    random, best = found["aurc_random"], found["aurc_best"]
    sentences.append(f"Area under the risk-coverage curve {found['aurc']:.3f}: best {best:.3f}, random {random:.3f}.")
    return sentences
