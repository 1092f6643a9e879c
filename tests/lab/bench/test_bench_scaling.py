"""Scaling with the image size: exponents, and the size at which a network exceeds a limit."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet_lab.bench.bench_files import write_scaling
from tmunet_lab.bench.bench_table import scaling_table
from tmunet_lab.bench.environment import run_environment
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.peak_memory import LimitExceeded, Peak
from tmunet_lab.bench.scaling import ScalingPoint, fit_exponent, fit_scaling, measure_scaling
from tmunet_lab.bench.workload import Conditions

SIZES = (64, 96, 128)
CONDITIONS = Conditions(seconds=30.0)


def fake_probe(label: str, size: int, batch: int, conditions: Conditions) -> Peak | LimitExceeded:
    """In place of a subprocess: memory linear in the pixels; one network exceeds its memory limit, one its time limit."""
    if label == "tmunet_released_t" and size >= 96:
        return LimitExceeded("memory", "needs more memory than 8 GB")
    return Peak(1_000_000, 1_000_000 + 100 * size**2, 31.0 if (label, size) == ("ulite", 128) else 0.1)


@pytest.fixture(scope="module")
def steps() -> list[ScalingPoint]:
    specs = parse_model_specs(["tmunet_t", "tmunet_released_t", "ulite", "zigrir"])
    return measure_scaling(specs, SIZES, 2, 1, CONDITIONS, fake_probe)


@given(st.floats(0.2, 3), st.floats(1e-3, 1e3), st.lists(st.integers(16, 4096), min_size=2, max_size=8, unique=True))
def test_a_power_law_has_its_exponent(exponent: float, factor: float, sizes: list[int]) -> None:
    assert fit_exponent(sizes, [factor * (size * size) ** exponent for size in sizes]) == pytest.approx(
        exponent, abs=1e-6
    )


def test_every_size_is_there_or_says_why_not(steps: list[ScalingPoint]) -> None:
    assert [step.size for step in steps] == [*SIZES] * 4
    assert {(step.network, step.size): step.note for step in steps if step.note} == {
        ("tmunet_released_t", 96): "not run: needs more memory than 8 GB",
        ("tmunet_released_t", 128): "not run: 96 px already needs more memory than 8 GB",
        ("ulite", 128): "not run: takes longer than 30 s",
        ("zigrir", 96): "not run: takes height and width of at least 64 pixels, divisible by 64, equal to each other",
    }
    for step in steps:
        assert (step.seconds is None) == (step.peak_bytes is None) == (step.added_bytes is None) == bool(step.note)


def test_slopes_are_over_the_sizes_that_were_run(steps: list[ScalingPoint]) -> None:
    found = {row.network: row for row in fit_scaling(steps)}
    assert found["tmunet_t"].memory == pytest.approx(1.0)  # what is added, not the 1 MB from before
    assert found["tmunet_t"].time is not None
    assert (found["tmunet_released_t"].time, found["tmunet_released_t"].memory) == (None, None)


def test_the_table_has_every_step_and_slope(steps: list[ScalingPoint]) -> None:
    text = scaling_table(steps)
    for step in steps:
        (line,) = [line for line in text.splitlines() if line.split()[:2] == [step.network, str(step.size)]]
        assert f"{step.seconds.median * 1e3:.1f}" in line if step.seconds else line.endswith(step.note)
    assert [line.split()[2] for line in text.splitlines() if line.split()[:1] == ["tmunet_t"]][-1] == "1.00"


def test_the_files_have_steps_slopes_and_lines(steps: list[ScalingPoint], tmp_path: Path) -> None:
    files = write_scaling(tmp_path, steps, run_environment(CONDITIONS, "tmunet bench --growth"))
    assert [path.name for path in files] == ["growth.csv", "growth.json", "growth.svg", "growth.pdf"]
    written = json.loads(files[1].read_text())
    assert len(written["steps"]) == len(steps)
    assert written["slopes"][0]["memory"] == pytest.approx(1.0)


def test_nothing_that_was_run_makes_no_picture(tmp_path: Path) -> None:
    files = write_scaling(tmp_path, [ScalingPoint("unet", 64, note="not run: ...")], run_environment(CONDITIONS, ""))
    assert [path.name for path in files] == ["growth.csv", "growth.json"]


def test_a_plot_of_another_run_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "growth.svg").write_text("old")
    (tmp_path / "growth.pdf").write_text("old")
    write_scaling(tmp_path, [ScalingPoint("unet", 64, note="not run: ...")], run_environment(CONDITIONS, ""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growth.csv", "growth.json"]
