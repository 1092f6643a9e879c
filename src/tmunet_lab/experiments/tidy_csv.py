"""Write tables as tidy CSV: one line per network, data set, split, protocol and metric."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tmunet_lab.experiments.build_tables import METRICS, ResultTable, TableBlock, TableRow
from tmunet_lab.experiments.captions import format_settings
from tmunet_lab.experiments.markdown import relative_path
from tmunet_lab.experiments.number_format import format_seeds, scale_metric, unit

COLUMNS = (
    "target", "network", "model", "model_args", "settings", "paper_row", "data", "split", "protocol", "metric", "unit", "paper",
    "mean", "sd_over_seeds", "seeds", "images", "images_ignored", "classes", "groups", "low", "high", "reference", "p", "p_holm",
    "left_out_of_hd", "split_sha256", "weights_sha256", "runs", "missing", "parameters", "paper_flops_g", "gmac_thop", "gmac",
    "paper_fps", "images_per_second", "machine",
)  # fmt: skip


def tidy_rows(table: ResultTable, folder: Path) -> Iterator[Mapping[str, Any]]:
    """Give the lines, block by block; several values in a cell are separated by "; ", in the order of the seeds.

    Args:
        table: the table.
        folder: of the file; paths of run folders are relative to it.
    """
    for block in table.blocks:
        for row in block.rows:
            yield from ({**_shared(table, block, row, folder), **_scores(row, metric)} for metric in METRICS)


def _shared(table: ResultTable, block: TableBlock, row: TableRow, folder: Path) -> dict[str, Any]:
    cost, printed = table.costs.get(row.network), table.printed[row.network]
    return {
        "target": table.target,
        "network": row.network,
        "model": row.planned.model,
        "model_args": format_settings(row.planned.model_args) if row.planned.model_args else "",
        "settings": format_settings(row.planned.settings) if row.planned.settings else "",
        "paper_row": row.planned.row,
        "data": block.data,
        "split": block.split,
        "protocol": block.protocol,
        "seeds": _joined(result.seed for result in row.results),
        "images_ignored": _joined(result.ignored for result in row.results),
        "classes": _joined(len(result.classes) for result in row.results),
        "reference": table.reference or "",
        "left_out_of_hd": _joined(row.left_out),
        "split_sha256": row.results[0].split_sha256 if row.results else "",
        "weights_sha256": _joined(result.weights_sha256 for result in row.results),
        "runs": _joined(relative_path(result.run, folder) for result in row.results),
        "missing": _joined(f"{format_seeds(missed)}: {reason}" for reason, missed in row.reasons.items()),
        "parameters": cost and cost.parameters,
        "paper_flops_g": printed and printed.flops,
        "gmac_thop": cost and cost.macs_thop / 1e9,
        "gmac": cost and cost.macs / 1e9,
        "paper_fps": printed and printed.fps,
        "images_per_second": cost and cost.images_per_second,
        "machine": cost.machine if cost else "",
    }


def _scores(row: TableRow, metric: str) -> dict[str, Any]:
    cell = row.cells[metric]
    ours = cell.ours
    values: dict[str, float | None] = dict.fromkeys(("mean", "sd_over_seeds", "low", "high"))
    if ours is not None:
        values |= {"mean": ours.mean, "sd_over_seeds": ours.sd, "low": ours.low, "high": ours.high}
    return {
        "metric": metric,
        "unit": unit(metric),
        "paper": cell.paper,
        "images": ours and ours.images,
        "groups": ours and ours.groups,
        **{name: None if value is None else scale_metric(metric, value) for name, value in values.items()},
        "p": cell.test and cell.test.p,
        "p_holm": cell.test and cell.test.corrected,
    }


def _joined(values: Any) -> str:
    return "; ".join(map(str, values))
