"""`map_threaded`: order, bounded number of results, exceptions."""

import threading
import time
from pathlib import Path

import pytest

import tmunet.data
from tmunet.data import parallel
from tmunet.data.parallel import map_threaded


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(map_threaded(slow_first, range(40))) == [item * item for item in range(40)]
    assert list(map_threaded(slow_first, [])) == []


def test_few_results_wait_for_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "MAX_WORKERS", 1)
    started: list[int] = []
    ahead = []
    for item in map_threaded(started.append, range(20)):
        time.sleep(0.001)
        assert item is None
        ahead.append(len(started) - len(ahead))
    assert len(started) == 20
    assert max(ahead) <= 2 * 1 + 1


def test_the_function_runs_in_other_threads_and_its_exception_reaches_the_caller() -> None:
    def fail_at_3(item: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 1 // (3 - item)

    results = map_threaded(fail_at_3, range(6))
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_data_imports_no_importer() -> None:
    files = list(Path(str(tmunet.data.__file__)).parent.rglob("*.py"))
    assert len(files) > 20
    assert [file.name for file in files if "tmunet.datasets" in file.read_text("utf-8")] == []
