"""The files of a run: every fact as JSON, a flat table as CSV, a picture as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tmunet.files import write_csv, write_json, write_text
from tmunet_lab.bench.cost_plot import cost_plot
from tmunet_lab.bench.environment import machine
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.scaling import Step, slopes
from tmunet_lab.bench.scaling_plot import growth_plot
from tmunet_lab.bench.timing import Spread


def write_measurements(folder: Path, rows: Sequence[Measurement], about: Mapping[str, Any]) -> list[Path]:
    """Write bench.csv, bench.json, and bench.svg with the first size and batch, if anything was timed there.

    Args:
        folder: made if it is not there.
        rows: at least one.
        about: see `facts`.

    Returns:
        The files.
    """
    content = [asdict(row) | {"images_per_second": row.images_per_second} for row in rows]
    first = [row for row in rows if (row.size, row.batch) == (rows[0].size, rows[0].batch) and row.seconds]
    picture = cost_plot(first, machine(about)) if first else None
    return _write(folder, "bench", content, dict(about) | {"measurements": content}, picture)


def write_scaling(folder: Path, steps: Sequence[Step], about: Mapping[str, Any]) -> list[Path]:
    """Write growth.csv, growth.json, and growth.svg if anything was timed; see `write_measurements`."""
    content = [asdict(step) for step in steps]
    everything = dict(about) | {"slopes": [asdict(row) for row in slopes(steps)], "steps": content}
    picture = growth_plot(steps, machine(about)) if any(step.seconds for step in steps) else None
    return _write(folder, "growth", content, everything, picture)


def _write(
    folder: Path, name: str, rows: Sequence[Mapping[str, Any]], everything: Mapping[str, Any], picture: str | None
) -> list[Path]:
    flat = [_flat(row) for row in rows]
    write_csv(folder / f"{name}.csv", list(flat[0]), flat)
    write_json(folder / f"{name}.json", everything)
    if picture is not None:
        write_text(folder / f"{name}.svg", picture)
    else:
        (folder / f"{name}.svg").unlink(missing_ok=True)  # one from before would be of other numbers
    return [folder / f"{name}.{kind}" for kind in ("csv", "json", *(["svg"] if picture is not None else []))]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Spreads as columns such as ``seconds_median``, empty where there is none."""
    parts = [field.name for field in fields(Spread)]
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("seconds", "times_reference"):
            flat |= {f"{key}_{part}": value[part] if value else None for part in parts}
        else:
            flat[key] = value
    return flat
