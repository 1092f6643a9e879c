"""Time estimates: the arithmetic with given step times, and the measurement with a fake clock."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import UsageError
from tmunet_lab.experiments.plan import PlannedNetwork
from tmunet_lab.experiments.run_status import RunProgress, RunStatus
from tmunet_lab.experiments.runs import PlannedRun
from tmunet_lab.experiments.time_estimate import StepTime, estimate_table, estimate_times, measure_step

from .small_plans import small_runs

SETTINGS = {"epochs": 10, "batch_size": 4, "preprocess": {"size": 32}}


@pytest.fixture
def runs(make_dataset: Callable[..., Path], tmp_path: Path) -> list[PlannedRun]:
    make_dataset(train=9, val=2, test=3)
    return small_runs(tmp_path, seeds=[0, 1], data=["discs", "rings"], settings=SETTINGS)


def test_time_is_steps_and_validated_images_of_the_epochs_that_are_left(runs: list[PlannedRun]) -> None:
    progress = {
        "U-Lite": RunProgress(RunStatus.PENDING, ("strict",)),
        "TM-UNet": RunProgress(RunStatus.INTERRUPTED, ("strict",), epochs=7),
    }
    here = [(run, progress[run.network]) for run in runs if run.data == "discs"]
    found = estimate_times(here, lambda run: StepTime(2.0 if run.network == "U-Lite" else 0.5, 0.25))
    # 9 images in batches of 4 are 3 steps an epoch; 2 images are validated
    assert [(one.steps, one.seconds) for one in found[:2]] == [
        (30, 30 * 2.0 + 10 * 2 * 0.25),
        (9, 9 * 0.5 + 3 * 2 * 0.25),
    ]


def test_equal_steps_are_measured_once_and_those_of_finished_or_missing_runs_never(
    runs: list[PlannedRun],
) -> None:
    measured: list[str] = []

    def measure(run: PlannedRun) -> StepTime:
        measured.append(run.network)
        return StepTime(1.0, 1.0)

    by_data = {"discs": RunProgress(RunStatus.PENDING, ("strict",)), "rings": RunProgress(RunStatus.MISSING_DATA)}
    found = estimate_times([(run, by_data[run.data]) for run in runs], measure)
    assert measured == ["U-Lite", "TM-UNet"]
    assert [one.seconds is None for one in found] == [run.data == "rings" for run in runs]
    measured.clear()
    assert [one.seconds for one in estimate_times([(runs[0], RunProgress(RunStatus.DONE))], measure)] == [0.0]
    assert measured == []


def test_a_step_that_cannot_be_measured_is_a_reason(runs: list[PlannedRun]) -> None:
    def measure(run: PlannedRun) -> StepTime:
        if run.network == "U-Lite":
            raise UsageError("model_args of ulite: no")
        return StepTime(60.0, 0.0)

    here = [(run, RunProgress(RunStatus.PENDING, ("strict",))) for run in runs if run.data == "discs"]
    found = estimate_times(here, measure)
    assert [(one.seconds, one.reason) for one in found[:2]] == [(None, "model_args of ulite: no"), (1800.0, "")]
    table = estimate_table(found, workers=2)
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.strip()}
    assert rows["discs-own-tm-unet-s1"] == ["pending", "30", "60", "30", "min"]
    assert rows["discs-own-u-lite-s1"] == ["pending", "30"]
    assert "1 h 0 min, 30 min with 2 workers; 2 runs without" in table
    assert table.count("model_args of ulite: no") == 1


def test_a_cpu_step_is_timed_with_few_images_and_multiplied_to_the_batch(runs: list[PlannedRun]) -> None:
    ticks = itertools.count()
    step = measure_step(runs[0].config, ("background", "disc"), "cpu", clock=lambda: float(next(ticks)))
    assert step == StepTime(training=4 / 2, validation=1 / 2)  # every call takes one tick


def test_options_that_do_not_fit_are_found_when_a_step_is_measured(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    make_dataset()
    broken = small_runs(tmp_path, networks={"U-Lite": PlannedNetwork("ulite", {"nonsense": 1})})
    (found,) = estimate_times(
        [(broken[0], RunProgress(RunStatus.PENDING, ("strict",)))],
        lambda run: measure_step(run.config, ("a", "b"), "cpu"),
    )
    assert found.seconds is None
    assert "'nonsense'" in found.reason
