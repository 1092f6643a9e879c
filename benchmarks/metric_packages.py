"""Score pairs of masks by packages other than tmunet; imports tmunet nowhere, so that it runs where tmunet is not installed.

    python benchmarks/metric_packages.py PAIRS.npz SCORES.json PACKAGE ...

PAIRS.npz holds preds_N, target_N (H, W), boolean, and spacing_N, (row, column). SCORES.json maps package to metric to a list of
values, one a pair: a number, or the name of the error that was raised. Each package is called as its documents say, with its
defaults but for what is named here, and is imported only if asked for.
"""

import importlib.metadata
import json
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Scorer = Callable[[Any, Any, tuple[float, float]], dict[str, Callable[[], float]]]


def monai(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """MONAI: functions, one class; `ignore_empty` as given."""
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance

    pair = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (preds, target)]
    steps = [float(step) for step in spacing]
    return {
        "Dice": lambda: float(compute_dice(*pair)),
        "HD": lambda: float(compute_hausdorff_distance(*pair, include_background=True, spacing=steps)),
        "HD95": lambda: float(compute_hausdorff_distance(*pair, include_background=True, spacing=steps, percentile=95)),
    }


def torchmetrics(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """torchmetrics: functions of torchmetrics.functional.segmentation, one class; it has no percentile."""
    import torch
    from torchmetrics.functional.segmentation import dice_score, hausdorff_distance

    pair = [torch.from_numpy(mask[None, None].astype(np.int64)) for mask in (preds, target)]
    options = {"num_classes": 1, "include_background": True, "input_format": "one-hot"}
    return {
        "Dice": lambda: float(dice_score(*pair, **options)),
        "HD": lambda: float(hausdorff_distance(*pair, spacing=list(spacing), **options)),
    }


def surface_distance(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """surface-distance of DeepMind: distances between subpixel surfaces, weighted by surface length."""
    import surface_distance as package

    def robust(percent: float) -> float:
        distances = package.compute_surface_distances(target, preds, spacing)
        return float(package.compute_robust_hausdorff(distances, percent))

    return {
        "Dice": lambda: float(package.compute_dice_coefficient(target, preds)),
        "HD": lambda: robust(100),
        "HD95": lambda: robust(95),
    }


def seg_metrics(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """seg-metrics: write_metrics on arrays, label 1."""
    from seg_metrics.seg_metrics import write_metrics

    pair = {"gdth_img": target.astype(np.uint8), "pred_img": preds.astype(np.uint8)}

    def value(metric: str) -> float:
        return float(write_metrics(labels=[1], metrics=[metric], spacing=list(spacing), **pair)[0][metric][0])

    return {"Dice": lambda: value("dice"), "HD": lambda: value("hd"), "HD95": lambda: value("hd95")}


def miseval(preds: Any, target: Any, _: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """miseval: class 1 of two; it takes no spacing and has no percentile."""
    from miseval import evaluate

    pair = target.astype(np.uint8), preds.astype(np.uint8)

    def value(metric: str) -> float:
        return float(evaluate(*pair, metric=metric, multi_class=True, n_classes=2)[1])

    return {"Dice": lambda: value("DSC"), "HD": lambda: value("HD")}


def simpleitk(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """SimpleITK: LabelOverlapMeasures for label 1, HausdorffDistance; no percentile."""
    import SimpleITK

    images = []
    for mask in (preds, target):
        image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        images.append(image)

    def overlap() -> float:
        measures = SimpleITK.LabelOverlapMeasuresImageFilter()
        measures.Execute(*images)
        return float(measures.GetDiceCoefficient(1))

    def hausdorff() -> float:
        distance = SimpleITK.HausdorffDistanceImageFilter()
        distance.Execute(*images)
        return float(distance.GetHausdorffDistance())

    return {"Dice": overlap, "HD": hausdorff}


def panoptica(preds: Any, target: Any, _: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """panoptica: objects are connected parts, matched at an IoU of 0.5; panoptic quality, and Dice of the whole mask."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        Metric,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )

    def value(attribute: str) -> float:
        evaluator = Panoptica_Evaluator(
            expected_input=InputType.SEMANTIC,
            instance_approximator=ConnectedComponentsInstanceApproximator(),
            instance_matcher=NaiveThresholdMatching(),
            global_metrics=[Metric.DSC],
        )
        results = evaluator.evaluate(preds.astype(np.uint8), target.astype(np.uint8), verbose=False)
        return float(getattr(next(iter(results.values())), attribute))

    return {"Dice": lambda: value("global_bin_dsc"), "PQ": lambda: value("pq")}


def medpy_definition(preds: Any, target: Any, spacing: tuple[float, float]) -> dict[str, Callable[[], float]]:
    """MedPy's documented definition, written here: percentile of both directions pooled, borders of 4-neighbors."""
    from scipy import ndimage

    def directed(source: Any, other: Any) -> Any:
        if not source.any() or not other.any():
            raise ValueError("MedPy documents an error for a mask without an object")
        border = [mask & ~ndimage.binary_erosion(mask) for mask in (source, other)]
        return ndimage.distance_transform_edt(~border[1], sampling=spacing)[border[0]]

    def percentile(percent: float) -> float:
        return float(np.percentile(np.hstack([directed(preds, target), directed(target, preds)]), percent))

    def dice() -> float:
        size = int(preds.sum() + target.sum())
        return 2 * int((preds & target).sum()) / size if size else 0.0

    return {"Dice": dice, "HD": lambda: percentile(100), "HD95": lambda: percentile(95)}


PACKAGES: dict[str, tuple[str | None, Scorer]] = {
    "MONAI": ("monai", monai),
    "torchmetrics": ("torchmetrics", torchmetrics),
    "surface-distance": ("surface-distance", surface_distance),
    "seg-metrics": ("seg-metrics", seg_metrics),
    "miseval": ("miseval", miseval),
    "SimpleITK": ("SimpleITK", simpleitk),
    "panoptica": ("panoptica", panoptica),
    "MedPy's definition": (None, medpy_definition),
}


def tried(score: Callable[[], float]) -> float | str:
    """Call it; its value, or the name of the error that it raised. JSON has no infinities: they are words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = score()
    except Exception as error:  # whatever a package raises for a mask is its answer
        return type(error).__name__
    return value if math.isfinite(value) else str(value)


def score(pairs: Any, names: list[str]) -> dict[str, Any]:
    """Score all pairs; a list of values for each metric of each package, and the packages' versions."""
    count = sum(name.startswith("preds_") for name in pairs)
    scores: dict[str, Any] = {}
    for name in names:
        distribution, scorer = PACKAGES[name]
        columns: dict[str, list[float | str]] = {}
        for number in range(count):
            rows, spacing = (pairs[f"{kind}_{number}"] for kind in ("preds", "spacing"))
            calls = scorer(rows.copy(), pairs[f"target_{number}"].copy(), (float(spacing[0]), float(spacing[1])))
            for metric, call in calls.items():
                columns.setdefault(metric, []).append(tried(call))
        scores[name] = {"version": importlib.metadata.version(distribution) if distribution else "", "scores": columns}
    return scores


if __name__ == "__main__":
    source, out, *chosen = sys.argv[1:]
    Path(out).write_text(json.dumps(score(dict(np.load(source)), chosen)), "utf-8")
