"""The page of the same masks scored by several packages: its tables are those of the file, our column is what the code gives."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "metrics-across-packages.md"
TABLE = ROOT / "benchmarks" / "metrics_across_packages.csv"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script, imported as Python does when it is run."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import metrics_across_packages

    yield metrics_across_packages
    for name in ("metrics_across_packages", "metric_packages"):
        sys.modules.pop(name, None)


def test_the_pages_tables_are_those_of_the_file(script: ModuleType) -> None:
    page = PAGE.read_text("utf-8")
    assert script.with_tables(page, script.read_rows(TABLE)) == page
    assert page.count("\n| ") > 4 * len(script.pairs()) - 12


def test_every_package_has_a_value_for_each_pair(script: ModuleType) -> None:
    import metric_packages

    rows = script.read_rows(TABLE)
    metrics = {(row["package"], row["metric"]) for row in rows}
    assert {(row["package"], row["metric"], row["pair"]) for row in rows} == {
        (*known, pair) for known in metrics for pair in script.pairs()
    }
    assert len(rows) == len(metrics) * len(script.pairs())
    assert {"tmunet", *metric_packages.PACKAGES} == {package for package, _ in metrics}


def test_our_column_is_what_the_code_gives(script: ModuleType) -> None:
    found = {
        (row["pair"], row["metric"]): float(row["value"])
        for row in script.read_rows(TABLE)
        if row["package"] == "tmunet"
    }
    pairs = script.pairs()
    assert len(pairs) == 12
    for name, pair in pairs.items():
        for metric, value in script.our_scores(pair).items():
            assert math.isclose(found[name, metric], value, rel_tol=1e-12), (name, metric)


def test_what_a_package_answers_is_a_number_a_word_or_the_name_of_its_error(script: ModuleType) -> None:
    from metric_packages import tried

    assert tried(lambda: 0.5) == 0.5
    assert tried(lambda: math.inf) == "inf"
    assert tried(lambda: math.nan) == "nan"
    assert tried(lambda: 1 // 0) == "ZeroDivisionError"
    assert script.shown("0.8390022675736961") == "0.839"
    assert script.shown("1.8e+19") == "1.8e+19"
    assert script.shown("inf") == "inf"
    assert script.shown("RuntimeError") == "`RuntimeError`"
