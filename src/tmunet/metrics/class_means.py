"""Means over classes: of those that are in the images, not of every name that a data set declares."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

Summaries = Mapping[str, Mapping[str, Any]]
"""``Summary.to_dict()`` by the name of the class."""


def is_absent(summary: Mapping[str, Any]) -> bool:
    """Whether no reference and no prediction of the scored images shows a class, so that there is nothing to score.

    A class that is in no reference and that some prediction shows is not absent: those are false alarms.

    Example:
        >>> is_absent({"n": 9, "n_both_empty": 9}), is_absent({"n": 9, "n_both_empty": 8})
        (True, False)

    """
    return bool(summary["n_both_empty"] == summary["n"])


def scored_classes(summaries: Summaries) -> list[str]:
    """The classes that are not absent, in their order."""
    return [name for name, summary in summaries.items() if not is_absent(summary)]


def mean_over_classes(summaries: Summaries, metric: str) -> float | None:
    """Mean over the classes that are not absent; None if there is none, or if one of them has no value.

    Example:
        >>> there = {"n": 2, "n_both_empty": 0, "metrics": {"dice": {"mean": 0.5}}}
        >>> absent = {"n": 2, "n_both_empty": 2, "metrics": {"dice": {"mean": None}}}
        >>> mean_over_classes({"a": there, "b": absent}, "dice")
        0.5

    """
    means = [summaries[name]["metrics"][metric]["mean"] for name in scored_classes(summaries)]
    return fmean(means) if means and None not in means else None
