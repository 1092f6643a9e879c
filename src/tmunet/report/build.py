"""Assemble the report of an evaluation from its scores, the chosen cases and the training log."""

import csv
from pathlib import Path
from statistics import fmean

from tmunet.data.dataset import Dataset
from tmunet.data.reader import load_case
from tmunet.evaluate_predictions import MaskFolder, describe_masks
from tmunet.evaluation import Evaluation, predict_labels
from tmunet.macs import count_macs, count_parameters
from tmunet.prediction.predictor import Predictor
from tmunet.report.evaluation_page import Report
from tmunet.report.panels import ReportCase
from tmunet.report.select import select_cases
from tmunet.visualize import to_rgb8


def assemble(
    evaluation: Evaluation, source: Predictor | MaskFolder, dataset: Dataset, metrics_csv: Path | None = None
) -> Report:
    """Assemble the content of the report.

    Args:
        evaluation: of `source` on `dataset`.
        source: the model, which predicts the chosen cases again, or the folder of masks, which are read again.
        dataset: the images.
        metrics_csv: the training log, if there is one.
    """
    title = describe_masks(source) if isinstance(source, MaskFolder) else source.config.model
    cost = {} if isinstance(source, MaskFolder) else _cost(source)
    chosen = [name for names in select_cases(evaluation.rows).values() for name in names]
    facts = {name.replace("_", " "): _text(value) for name, value in evaluation.facts.items()}
    return Report(
        title=f"{title} on {dataset.info.name}",
        facts={**cost, "protocol": evaluation.protocol.name, **facts},
        protocol=evaluation.protocol.description,
        summaries=evaluation.summaries,
        per_image=evaluation.rows,
        history=_history(metrics_csv),
        cases=[_case(name, evaluation, source, dataset) for name in chosen],
        classes=dataset.info.classes,
        unit=evaluation.unit,
        failure_detection=evaluation.failure_detection,
    )


def _cost(predictor: Predictor) -> dict[str, str]:
    side, channels = predictor.config.preprocess.size, predictor.config.preprocess.channels
    return {
        "network": predictor.config.model,
        "parameters": f"{count_parameters(predictor.network):,}",
        "multiply-accumulates": f"{count_macs(predictor.network, (side, side), channels) / 1e9:.2f} GMAC "
        f"for an image of {side} x {side} pixels, counted in full",
    }


def _case(name: str, evaluation: Evaluation, source: Predictor | MaskFolder, dataset: Dataset) -> ReportCase:
    (case,) = (case for case in dataset.cases if case.name == name)
    loaded = load_case(case, dataset.info)
    classes = dataset.info.classes
    if isinstance(source, MaskFolder):
        mask = source.read(case, loaded.mask, classes)
    else:
        mask = predict_labels(source, loaded.image, classes, loaded.mask.shape)
    rows = [row for row in evaluation.rows if row["case"] == name]
    known = {metric: [row[metric] for row in rows if row[metric] is not None] for metric in ("dice", "hd95")}
    scores = {metric: fmean(values) if values else None for metric, values in known.items()}
    return ReportCase(name, to_rgb8(loaded.image), loaded.mask, mask, scores)


def _history(metrics_csv: Path | None) -> list[dict[str, float | None]]:
    if metrics_csv is None:
        return []
    with metrics_csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [{name: value for name, value in row.items() if name != "kept_weights"} for row in rows]
    return [{name: float(value) if value else None for name, value in row.items()} for row in numbers]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
