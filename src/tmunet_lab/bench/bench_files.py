"""Files of a benchmark: all facts as JSON, a flat table as CSV, a plot as SVG and PDF."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.errors import MissingExtraError, TMUNetWarning
from tmunet.files import write_csv, write_json
from tmunet_lab.bench.bench_plots import cost_plot, scaling_plot
from tmunet_lab.bench.environment import machine
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.scaling import ScalingPoint, fit_scaling
from tmunet_lab.bench.timing import Quartiles
from tmunet_lab.plots import save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_measurements(folder: Path, rows: Sequence[Measurement], about: Mapping[str, Any]) -> list[Path]:
    """Write bench.csv, bench.json, and the plot bench.svg and bench.pdf of the first size and batch if anything was timed there.

    Without matplotlib a `TMUNetWarning` stands in place of the plot.

    Args:
        folder: made if it is not there.
        rows: at least one.
        about: see `run_environment`.

    Returns:
        The files.
    """
    content = [asdict(row) | {"images_per_second": row.images_per_second} for row in rows]
    first = [row for row in rows if (row.size, row.batch) == (rows[0].size, rows[0].batch) and row.seconds]
    draw = (lambda: cost_plot(first, machine(about))) if first else None
    return _write(folder / "bench", content, dict(about) | {"measurements": content}, draw)


def write_scaling(folder: Path, points: Sequence[ScalingPoint], about: Mapping[str, Any]) -> list[Path]:
    """Write growth.csv, growth.json, and the plot growth.svg and growth.pdf if anything was timed; see `write_measurements`."""
    content = [asdict(point) for point in points]
    everything = dict(about) | {"slopes": [asdict(row) for row in fit_scaling(points)], "steps": content}
    draw = (lambda: scaling_plot(points, machine(about))) if any(point.seconds for point in points) else None
    return _write(folder / "growth", content, everything, draw)


def _write(
    stem: Path, rows: Sequence[Mapping[str, Any]], everything: Mapping[str, Any], draw: "Callable[[], Figure] | None"
) -> list[Path]:
    flat = [_flat(row) for row in rows]
    files = [stem.with_suffix(".csv"), stem.with_suffix(".json")]
    write_csv(files[0], list(flat[0]), flat)
    write_json(files[1], everything)
    for kind in (".svg", ".pdf"):
        stem.with_suffix(kind).unlink(missing_ok=True)  # one from before would be of other numbers
    if draw is None:
        return files
    try:
        with style():
            return files + save(draw(), stem)
    except MissingExtraError as error:
        warnings.warn(f"{stem.with_suffix('.svg')}: not drawn. {error}", TMUNetWarning, stacklevel=3)
        return files


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten quartiles into columns such as ``seconds_median``, empty where there is none."""
    parts = [field.name for field in fields(Quartiles)]
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("seconds", "times_reference"):
            flat |= {f"{key}_{part}": value[part] if value else None for part in parts}
        else:
            flat[key] = value
    return flat
