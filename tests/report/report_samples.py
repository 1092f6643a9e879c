"""A small evaluation with real pixels: discs, predicted with shifts, one missed and one false alarm."""

from dataclasses import replace
from typing import Any

import numpy as np

from tmunet.report import Report, ReportCase, select_cases

METRICS = ("dice", "iou", "f1", "precision", "recall", "hd", "hd95")


def disc(row: float, column: float, radius: float, shape: tuple[int, int] = (40, 56)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).astype(np.uint8)


def case_of(name: str, truth: np.ndarray, prediction: np.ndarray, dice: float | None) -> ReportCase:
    image = np.random.default_rng(0).integers(0, 256, (*truth.shape, 3), dtype=np.uint8)
    return ReportCase(name, image, truth, prediction, {"dice": dice, "hd95": 1.25})


def row_of(case: str, class_: str, outcome: str, dice: float | None) -> dict[str, Any]:
    overlaps = dict.fromkeys(("iou", "f1", "precision", "recall"), dice)
    return {
        "case": case,
        "group": None,
        "class": class_,
        "outcome": outcome,
        "dice": dice,
        **overlaps,
        "hd": 12.34,
        "hd95": 5.67,
    }


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    metrics = {}
    for name in METRICS:
        values = [row[name] for row in rows if row[name] is not None]
        mean = sum(values) / len(values) if values else None
        alone = len(values) < 2
        metrics[name] = {
            "mean": mean,
            "sd": None if alone else float(np.std(values, ddof=1)),
            "median": float(np.median(values)) if values else None,
            "low": None if alone else mean,
            "high": None if alone else mean,
        }
    outcomes = [row["outcome"] for row in rows]
    return {
        "protocol": "strict",
        "n": len(rows) - outcomes.count("ignored"),
        "n_ignored": outcomes.count("ignored"),
        "n_groups": None,
        "n_missed": outcomes.count("missed"),
        "n_false_alarm": outcomes.count("false_alarm"),
        "n_both_empty": outcomes.count("both_empty"),
        "n_hd_left_out": 0,
        "objects": len(rows),
        "objects_missed": outcomes.count("missed"),
        "objects_false": outcomes.count("false_alarm"),
        "objects_too_small": 0,
        "objects_too_small_predicted": 0,
        "objects_missed_median_px": 12 if "missed" in outcomes else None,
        "objects_missed_largest_px": 12 if "missed" in outcomes else None,
        "metrics": metrics,
    }


def history_of(epochs: int) -> list[dict[str, float | None]]:
    return [
        {
            "epoch": e,
            "train_loss": 1 / e,
            "val_loss": 1.1 / e,
            "val_dice": 1 - 1 / (e + 1),
            "learning_rate": 1e-3,
        }
        for e in range(1, epochs + 1)
    ]


def make_report(n: int = 12, count: int = 3, names: dict[int, str] | None = None, **fields: Any) -> Report:
    """Build a report of ``n`` images, ``count`` in a group; the first is missed, the last a false alarm."""
    rows, cases = [], {}
    for index in range(n):
        name = (names or {}).get(index, f"image-{index:02d}")
        truth, prediction = disc(20, 25, 12), disc(20, 25 + index % 5, 12)
        outcome, dice = "found", round(0.5 + index / 40, 3)
        if index == 0 and n > 1:
            prediction, outcome, dice = np.zeros_like(truth), "missed", 0.0
        elif index == n - 1 and n > 2:
            truth, outcome, dice = np.zeros_like(truth), "false_alarm", 0.0
        rows.append(row_of(name, "polyp", outcome, dice))
        cases[name] = case_of(name, truth, prediction, dice)
    chosen = [name for group in select_cases(rows, count).values() for name in group]
    report = Report(
        title="tmunet_t on discs",
        facts={"Seed": "0", "Command": "tmunet evaluate runs/discs"},
        protocol="Scores at native size.",
        summaries={"polyp": summary_of(rows)},
        per_image=rows,
        history=history_of(5),
        cases=[cases[name] for name in chosen],
        classes=["background", "polyp"],
    )
    return replace(report, **fields)
