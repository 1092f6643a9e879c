"""Evaluation report, page of data check, contact sheet.

The names are imported lazily: importing this package loads nothing heavy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tmunet.report.evaluation_page import Report, render, write_report
    from tmunet.report.panels import ReportCase
    from tmunet.report.select import select_cases

__all__ = ["Report", "ReportCase", "render", "select_cases", "write_report"]

_HOMES = {
    "Report": "evaluation_page",
    "ReportCase": "panels",
    "render": "evaluation_page",
    "select_cases": "select",
    "write_report": "evaluation_page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
