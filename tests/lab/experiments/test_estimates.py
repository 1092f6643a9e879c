"""Estimates: the arithmetic, with steps that are made up; and the measurement, with a clock that is."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import UsageError
from tmunet_lab.experiments.duration import estimate, estimate_table
from tmunet_lab.experiments.plan import PlannedNetwork
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.run_state import State
from tmunet_lab.experiments.step_time import StepTime, measure_step

from .small_grids import small_runs

SETTINGS = {"epochs": 10, "batch_size": 4, "preprocess": {"size": 32}}


@pytest.fixture
def runs(make_dataset: Callable[..., Path], tmp_path: Path) -> list[PlannedRun]:
    make_dataset(train=9, val=2, test=3)
    return small_runs(tmp_path, seeds=[0, 1], data=["discs", "rings"], settings=SETTINGS)


def test_time_is_steps_and_validated_images_of_the_epochs_that_are_left(runs: list[PlannedRun]) -> None:
    states = {"U-Lite": State("to do", ("strict",)), "TM-UNet": State("interrupted", ("strict",), epochs=7)}
    here = [(run, states[run.network]) for run in runs if run.data == "discs"]
    found = estimate(here, lambda run: StepTime(2.0 if run.network == "U-Lite" else 0.5, 0.25))
    # 9 images in batches of 4 are 3 steps an epoch; 2 images are validated
    assert [(one.steps, one.seconds) for one in found[:2]] == [
        (30, 30 * 2.0 + 10 * 2 * 0.25),
        (9, 9 * 0.5 + 3 * 2 * 0.25),
    ]


def test_steps_that_are_alike_are_measured_once_and_those_of_finished_or_missing_runs_never(
    runs: list[PlannedRun],
) -> None:
    measured: list[str] = []

    def measure(run: PlannedRun) -> StepTime:
        measured.append(run.network)
        return StepTime(1.0, 1.0)

    by_data = {"discs": State("to do", ("strict",)), "rings": State("missing data")}
    found = estimate([(run, by_data[run.data]) for run in runs], measure)
    assert measured == ["U-Lite", "TM-UNet"]
    assert [one.seconds is None for one in found] == [run.data == "rings" for run in runs]
    measured.clear()
    assert [one.seconds for one in estimate([(runs[0], State("done"))], measure)] == [0.0]
    assert measured == []


def test_a_step_that_cannot_be_measured_is_a_reason(runs: list[PlannedRun]) -> None:
    def measure(run: PlannedRun) -> StepTime:
        if run.network == "U-Lite":
            raise UsageError("model_args of ulite: no")
        return StepTime(60.0, 0.0)

    here = [(run, State("to do", ("strict",))) for run in runs if run.data == "discs"]
    found = estimate(here, measure)
    assert [(one.seconds, one.reason) for one in found[:2]] == [(None, "model_args of ulite: no"), (1800.0, "")]
    table = estimate_table(found, workers=2)
    assert "4 runs, training and validation 1 h 0 min, 30 min with 2 workers; 2 runs without an estimate." in table
    assert table.count("Without an estimate: options of ulite: no") == 1
    assert "discs-own-tm-unet-s1  to do     30        60  30 min" in table


def test_a_step_on_the_cpu_is_timed_with_few_images_and_taken_times_the_batch(runs: list[PlannedRun]) -> None:
    ticks = itertools.count()
    step = measure_step(runs[0].config, ("background", "disc"), "cpu", clock=lambda: float(next(ticks)))
    assert step == StepTime(training=4 / 2, validation=1 / 2)  # every call takes one tick


def test_options_that_do_not_fit_are_found_when_a_step_is_measured(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    make_dataset()
    broken = small_runs(tmp_path, networks={"U-Lite": PlannedNetwork("ulite", {"nonsense": 1})})
    (found,) = estimate(
        [(broken[0], State("to do", ("strict",)))], lambda run: measure_step(run.config, ("a", "b"), "cpu")
    )
    assert "model_args of ulite: There is no setting 'nonsense'" in found.reason
