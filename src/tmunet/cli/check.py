"""`tmunet check`: find what is wrong with a data set. Loads no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmunet.cli.parser import parse
from tmunet.cli.paths import check_output_path


@dataclass(frozen=True)
class CheckConfig:
    """Find what is wrong with a data set before anything is computed on it; the data set is only read."""

    data: str
    """Folder that holds images/ and masks/."""
    split: str | None = None
    """Split file; by default split.json of the folder, if it is there."""
    fix: str | None = None
    """Write a copy with everything mended that can be mended safely to this new folder, and check it."""
    html: str | None = None
    """Also write the findings with pictures to this file, such as check.html."""
    json: bool = False
    """Print JSON for machines."""


def run(arguments: Sequence[str]) -> int:
    """Print the findings; the code is 1 if there are faults or warnings, of the copy if one was made."""
    config = parse(
        CheckConfig,
        arguments,
        "check",
        positional={"data": "folder that holds images/ and masks/"},
        notes="exit code: 0 nothing but notes, 1 faults or warnings (of the copy, with --fix).",
    )
    from tmunet.check.fix import fix
    from tmunet.check.format import as_text, printable
    from tmunet.check.run import check_dataset

    page = check_output_path(config.html, ".html", Path(config.data)) if config.html else None
    report = check_dataset(Path(config.data), Path(config.split) if config.split else None)
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
