"""Tiny components: found where they are, and no object is one."""

from importlib import resources
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.check.run import check_dataset
from tmunet.check.tiny_components import TinyComponents, find_tiny_components
from tmunet.metrics import MIN_OBJECT_PIXELS, count_objects

from .corpus import disc


def test_each_class_is_looked_at_by_itself() -> None:
    mask = disc((100, 100), 30)
    mask[5, 5] = 2  # all of its class: there is nothing larger to compare it with
    assert find_tiny_components(mask, (1, 2)) is None
    mask[60:95, 85:95] = 2
    assert find_tiny_components(mask, (1, 2)) == TinyComponents(1, 1, 350)


def test_one_object_with_many_tiny_is_typical() -> None:
    mask = disc((100, 100), 30)
    typical = int(mask.sum())
    mask[5, 5:95:9] = 1
    assert find_tiny_components(mask, (1,)) == TinyComponents(10, 1, typical)


def test_the_limit_grows_with_the_image() -> None:
    mask = np.zeros((1000, 1000), np.uint8)
    mask[200:500, 200:500] = 1
    mask[800:804, 800:805] = 1
    assert find_tiny_components(mask, (1,)) == TinyComponents(1, 20, 90_000)
    mask[804, 800] = 1
    assert find_tiny_components(mask, (1,)) is None


@given(y=st.integers(0, 99), x=st.integers(0, 99), height=st.integers(1, 6), width=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_a_tiny_component_is_one_by_its_size_and_place(y: int, x: int, height: int, width: int) -> None:
    mask = disc((100, 100), 25)
    part = np.zeros_like(mask)
    part[y : y + height, x : x + width] = 1
    ys, xs = np.nonzero(part)
    away = np.pad(mask, 3)[ys.min() : ys.max() + 7, xs.min() : xs.max() + 7].any()
    inside = ys.min() > 0 and ys.max() < 99 and xs.min() > 0 and xs.max() < 99
    expected = part.sum() <= 4 and inside and not away
    assert find_tiny_components(mask | part, (1,)) == (
        TinyComponents(1, int(part.sum()), int(mask.sum())) if expected else None
    )


def test_the_sample_has_no_faults_and_no_warnings() -> None:
    report = check_dataset(Path(str(resources.files("tmunet") / "sample")))
    assert [(finding.kind, finding.severity) for finding in report.findings] == [("mixed-channels", "note")]
    assert report.leaks is not None
    assert len(report.cases) == 60


def test_what_is_too_small_for_the_counts_of_objects_is_what_check_calls_a_tiny_component() -> None:
    for pixels in range(1, 9):
        mask = disc((100, 100), 30)
        mask[5, 5 : 5 + pixels] = 1
        counted = count_objects(preds=np.zeros_like(mask, dtype=bool), target=mask == 1)
        tiny = find_tiny_components(mask, (1,))
        assert counted.too_small == (0 if tiny is None else tiny.count) == (pixels < MIN_OBJECT_PIXELS)
