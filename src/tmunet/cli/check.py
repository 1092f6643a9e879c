"""`tmunet check`: check a data set for faults, duplicates and data leakage. Imports no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.cli.parser import parse
from tmunet.cli.paths import check_output_path


@dataclass(frozen=True)
class CheckConfig:
    """Check a data set for faults, near-duplicates and data leakage before training; it is only read."""

    data: str
    """Folder that holds images/ and masks/."""
    split: str | None = None
    """Split file; by default split.json of the folder, if it exists."""
    fix: str | None = None
    """Write a copy with all safe fixes applied to this new folder, and check it."""
    html: str | None = None
    """Also write an HTML page of the findings with pictures, such as check.html."""
    dask: str | None = None
    """Decode the files with the workers of a Dask scheduler, such as tcp://head:8786, which share the disk; local: one worker a
    core."""
    slurm: dict[str, Any] | None = None
    """Decode the files in jobs of a Slurm cluster, with these settings of submitit; its files go to DATA-jobs."""
    json: bool = False
    """Print JSON for machines."""


def run(arguments: Sequence[str]) -> int:
    """Print the findings; the exit code is 1 for faults or warnings (of the copy, with --fix)."""
    config = parse(
        CheckConfig,
        arguments,
        "check",
        positional={"data": "folder that holds images/ and masks/"},
        notes="exit code: 0 notes at most, 1 faults or warnings (of the copy, with --fix).",
    )
    from tmunet.check.fix import fix
    from tmunet.check.format import as_text, printable
    from tmunet.check.run import check_dataset
    from tmunet.machines.pool import open_pool

    page = check_output_path(config.html, ".html", Path(config.data)) if config.html else None
    folder = Path(config.data).absolute()
    with open_pool(config.dask, config.slurm, folder.with_name(f"{folder.name}-jobs")) as pool:
        report = check_dataset(Path(config.data), Path(config.split) if config.split else None, pool)
    fixed = fix(report, Path(config.fix)) if config.fix else None
    if page:
        from tmunet.report.check_page import write_check_page

        write_check_page(page, report)
    if config.json:
        content = report.to_dict() | ({"fixed": fixed.to_dict()} if fixed else {})
        print(json.dumps(content, indent=2))
    else:
        print(as_text(report))
        if fixed:
            print(printable(f"\n{fixed}\n\n{as_text(fixed.left)}"))
        if page:
            print(f"Page: {page}")
    judged = fixed.left if fixed else report
    return 1 if judged.count("fault") + judged.count("warning") else 0
