"""Score the same 12 pairs of masks by other packages and by tmunet, and write the tables of the page about it.

    python benchmarks/metrics_across_packages.py [--out benchmarks/metrics_across_packages.csv] [--page PAGE]

MONAI, torchmetrics and tmunet run in this environment; the others, which ask for versions of NumPy that exclude each other, in
temporary ones, removed at the end. PAGE, by default docs/explanation/metrics-across-packages.md, gets the tables between its
marks.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from metric_packages import score

from tmunet.files import write_csv, write_text
from tmunet.metrics import get_protocol
from tmunet.versions import versions

Mask = npt.NDArray[np.bool_]
Pair = tuple[Mask, Mask, tuple[float, float]]

HERE = Path(__file__).parent
OWN = ("MONAI", "torchmetrics", "MedPy's definition")
ENVIRONMENTS = (
    (
        ("surface-distance", "SimpleITK", "panoptica"),
        ("numpy==1.26.4", "surface-distance==0.1", "SimpleITK==2.5.7", "panoptica==2.1.7"),
    ),
    (("seg-metrics",), ("numpy==1.26.4", "seg-metrics==1.2.8")),
    (("miseval",), ("numpy==2.2.6", "miseval==1.3.0")),
)
METRICS = {"Dice": "Dice", "HD": "Hausdorff distance", "HD95": "HD95", "PQ": "Panoptic quality"}
COLUMNS = ("pair", "metric", "package", "version", "value")
START, END = "<!-- metrics_across_packages: start -->", "<!-- metrics_across_packages: end -->"


def pairs() -> dict[str, Pair]:
    """Name the 12 pairs: (prediction, reference, (row, column) spacing), masks (64, 64)."""
    rows, columns = np.mgrid[:64, :64]

    def disc(row: int, column: int, radius: float) -> Mask:
        return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)

    def box(top: int, bottom: int, left: int, right: int) -> Mask:
        return np.asarray((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))

    empty, object_ = np.zeros((64, 64), bool), disc(32, 28, 12)
    two = box(20, 36, 16, 30) | box(20, 36, 31, 45)
    square = (1.0, 1.0)
    return {
        "both empty": (empty, empty, square),
        "reference empty": (object_, empty, square),
        "prediction empty": (empty, object_, square),
        "at the image's border": (box(0, 34, 0, 64), box(0, 30, 0, 64), square),
        "stray pixel": (object_ | box(2, 3, 60, 61), object_, square),
        "ring for a disc": (object_ & ~disc(32, 28, 6), object_, square),
        "shifted by 3 columns": (np.roll(object_, 3, axis=1), object_, square),
        "tiny false object": (object_ | disc(50, 56, 2), object_, square),
        "3 rows, spacing 2 x 0.5 mm": (np.roll(object_, 3, axis=0), object_, (2.0, 0.5)),
        "two objects joined": (box(20, 36, 16, 45), two, square),
        "one pixel, 3 columns off": (box(30, 31, 33, 34), box(30, 31, 30, 31), square),
        "identical": (object_, object_, square),
    }


def our_scores(pair: Pair) -> dict[str, float]:
    """Scores of protocol strict, with its policy for empty masks."""
    preds, target, spacing = pair
    scores = get_protocol("strict").score(preds=preds, target=target, spacing=spacing)
    return {"Dice": scores.dice, "HD": scores.hd, "HD95": scores.hd95}


def in_environment(packages: Iterable[str], requirements: Iterable[str], saved: Path, folder: Path) -> dict[str, Any]:
    """Install requirements into an environment of its own and score there."""
    environment = folder / next(iter(packages))
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    out = folder / "scores.json"
    subprocess.run([python, HERE / "metric_packages.py", saved, out, *packages], check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


def all_scores(named: Mapping[str, Pair]) -> list[dict[str, Any]]:
    """Rows of the table: pair, metric, package, version, value."""
    arrays: dict[str, Any] = {}
    for number, (preds, target, spacing) in enumerate(named.values()):
        arrays |= {f"preds_{number}": preds, f"target_{number}": target, f"spacing_{number}": np.asarray(spacing)}
    ours = [our_scores(pair) for pair in named.values()]
    scores = {
        "tmunet": {"version": versions()["tmunet"], "scores": {key: [one[key] for one in ours] for key in ours[0]}}
    }
    scores |= score(arrays, list(OWN))
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "pairs.npz"
        np.savez(saved, **arrays)
        for packages, requirements in ENVIRONMENTS:
            scores |= in_environment(packages, requirements, saved, Path(folder))
    return [
        {"pair": pair, "metric": metric, "package": package, "version": found["version"], "value": value}
        for package, found in scores.items()
        for metric, values in found["scores"].items()
        for pair, value in zip(named, values, strict=True)
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of the table as written."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(value: str) -> str:
    """A value as the page shows it: three digits after the point at most, errors as code."""
    try:
        number = float(value)
    except ValueError:
        return f"`{value}`"
    return f"{number:.3f}".rstrip("0").rstrip(".") if abs(number) < 1e6 else f"{number:.1e}"


def as_tables(rows: Iterable[Mapping[str, str]]) -> str:
    """One Markdown table for each metric: pairs down, packages across."""
    cells: dict[str, dict[str, dict[str, str]]] = {metric: {} for metric in METRICS}
    released: dict[str, str] = {}
    for row in rows:
        cells[row["metric"]].setdefault(row["pair"], {})[row["package"]] = shown(row["value"])
        released[row["package"]] = row["version"]
    lines: list[str] = []
    for metric, by_pair in cells.items():
        packages = list(next(iter(by_pair.values())))
        lines += [
            f"## {METRICS[metric]}",
            "",
            "| pair | " + " | ".join(packages) + " |",
            "|---" * (len(packages) + 1) + "|",
        ]
        lines += [
            f"| {pair} | " + " | ".join(values[package] for package in packages) + " |"
            for pair, values in by_pair.items()
        ]
        lines.append("")
    known = ", ".join(f"{package} {version}" for package, version in released.items() if version)
    return "\n".join([*lines, f"Versions: {known}.", ""])


def with_tables(page: str, rows: Iterable[Mapping[str, str]]) -> str:
    """Put the tables between the marks of the page."""
    before, rest = page.split(START)
    return f"{before}{START}\n\n{as_tables(rows)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Score, and write the table and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=HERE / "metrics_across_packages.csv")
    parser.add_argument(
        "--page", type=Path, default=HERE.parent / "docs" / "explanation" / "metrics-across-packages.md"
    )
    options = parser.parse_args()
    write_csv(options.out, COLUMNS, all_scores(pairs()))
    write_text(options.page, with_tables(options.page.read_text("utf-8"), read_rows(options.out)))
    print(options.out, options.page)


if __name__ == "__main__":
    main()
