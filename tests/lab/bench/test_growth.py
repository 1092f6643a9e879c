"""Growth with the image: slopes, and the size at which a network ends."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet_lab.bench.bench_files import write_scaling
from tmunet_lab.bench.environment import facts
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.peak_memory import LimitExceeded, Peak
from tmunet_lab.bench.scaling import Step, measure_scaling, scaling_table, slope, slopes
from tmunet_lab.bench.timing import Spread
from tmunet_lab.bench.workload import Conditions

SIZES = (64, 96, 128)
CONDITIONS = Conditions(seconds=30.0)


def alone(label: str, size: int, batch: int, conditions: Conditions) -> Peak | LimitExceeded:
    """Without a process: one network grows with the square, and its second size does not fit; one is slow at its third."""
    if label == "tmunet_released_t" and size >= 96:
        return LimitExceeded("needs more memory than 8 GB")
    return Peak(1_000_000, 1_000_000 + 100 * size**2, 31.0 if (label, size) == ("ulite", 128) else 0.1)


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    candidates = parse_model_specs(["tmunet_t", "tmunet_released_t", "ulite", "zigrir"])
    return measure_scaling(candidates, SIZES, 2, 1, CONDITIONS, alone)


@given(st.floats(0.2, 3), st.floats(1e-3, 1e3), st.lists(st.integers(16, 4096), min_size=2, max_size=8, unique=True))
def test_a_power_law_has_its_exponent(exponent: float, factor: float, sizes: list[int]) -> None:
    assert slope(sizes, [factor * (size * size) ** exponent for size in sizes]) == pytest.approx(exponent, abs=1e-6)


def test_every_size_is_there_or_says_why_not(steps: list[Step]) -> None:
    assert [step.size for step in steps] == [*SIZES] * 4
    assert {(step.network, step.size): step.note for step in steps if step.note} == {
        ("tmunet_released_t", 96): "not run: needs more memory than 8 GB",
        ("tmunet_released_t", 128): "not run: 96 px already needs more memory than 8 GB",
        ("ulite", 128): "not run: takes longer than 30 s",
        ("zigrir", 96): "not run: takes height and width of at least 64 pixels, divisible by 64, equal to each other",
    }
    for step in steps:
        assert (step.seconds is None) == (step.peak_bytes is None) == (step.added_bytes is None) == bool(step.note)


def test_slopes_are_over_the_sizes_that_were_run(steps: list[Step]) -> None:
    found = {row.network: row for row in slopes(steps)}
    assert found["tmunet_t"].memory == pytest.approx(1.0)  # what is added, not the 1 MB from before
    assert found["tmunet_t"].time is not None
    assert (found["tmunet_released_t"].time, found["tmunet_released_t"].memory) == (None, None)


def test_the_table_has_every_step_and_slope(steps: list[Step]) -> None:
    text = scaling_table(steps)
    for step in steps:
        (line,) = [line for line in text.splitlines() if line.split()[:2] == [step.network, str(step.size)]]
        assert f"{step.seconds.median * 1e3:.1f}" in line if step.seconds else line.endswith(step.note)
    assert [line.split()[2] for line in text.splitlines() if line.split()[:1] == ["tmunet_t"]][-1] == "1.00"


def test_the_files_have_steps_slopes_and_lines(steps: list[Step], tmp_path: Path) -> None:
    files = write_scaling(tmp_path, steps, facts(CONDITIONS, "tmunet bench --growth"))
    assert [path.name for path in files] == ["growth.csv", "growth.json", "growth.svg"]
    written = json.loads(files[1].read_text())
    assert len(written["steps"]) == len(steps)
    assert written["slopes"][0]["memory"] == pytest.approx(1.0)
    root = ElementTree.fromstring(files[2].read_text())
    assert len(root.findall("{*}polyline")) == 2 * 4
    assert len(root.findall("{*}circle")) == 2 * (3 + 1 + 2 + 2)


def test_nothing_that_was_run_makes_no_picture(tmp_path: Path) -> None:
    files = write_scaling(tmp_path, [Step("unet", 64, note="not run: ...")], facts(CONDITIONS, ""))
    assert [path.name for path in files] == ["growth.csv", "growth.json"]


def test_a_network_that_was_not_run_at_all_has_no_line(tmp_path: Path) -> None:
    ran = [Step("ulite", size, peak_bytes=9, added_bytes=3, seconds=Spread(1.0, 1.0, 1.0, 1)) for size in (64, 96)]
    files = write_scaling(tmp_path, [*ran, Step("unet", 64, note="not run: ...")], facts(CONDITIONS, ""))
    root = ElementTree.fromstring(files[2].read_text())
    assert len(root.findall("{*}polyline")) == 2
