"""`tmunet reproduce` in this process: flags, missing data, dry run, interruption."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tmunet_lab.experiments import runner
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome, Watch
from tmunet_lab.experiments.runs import PlannedRun

from .conftest import Answer

Run = Callable[..., Answer]
PLAN = """\
title: Small
networks: {U-Lite: {model: ulite, row: U-Lite}}
data: [discs, MoNuSeg]
splits: [own]
seeds: [0]
settings: {epochs: 1, batch_size: 4, preprocess: {size: 32}}
protocols: [strict]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["tabel1", "--data", "x"], "target", "'table1'"),
        (["tabel1", "--data", "x", "--plan", "smoke"], "target", "'tabel1'"),
        (["table1"], "missing", "--data"),
        (["table1", "--data", "x", "--plan", "smoek"], "plan", "'smoke'"),
        (["table1", "--data", "x", "--workers", 0], "value", "`workers`"),
        (["table1", "--data", "x", "--minutes", 0], "value", "`minutes`"),
        (["table1", "--data", "x", "--workers", 2, "--slurm", "{cluster: local}"], "value", "`slurm`"),
        (["table1", "--data", "x", "--plan", "smoke"], "missing-data", "x"),
    ],
)
def test_wrong_flags_are_refused(words: list[object], error: str, named: str, tmunet: Run) -> None:
    answer = tmunet("reproduce", *words)
    assert (answer.code, answer.error) == (2, error)
    assert named in answer.err


def test_data_sets_that_are_not_there_are_reasons_not_failures(plan: Path, tmunet: Run, tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    places = ["--data", tmp_path / "sets", "--runs", tmp_path / "runs", "--out", tmp_path / "pages", "--plan", plan]
    answer = tmunet("reproduce", "table1", *places)
    assert answer.code == 0, answer.err
    assert "0 of 2 runs are done, 0 of them now; 0 failed." in answer.out
    assert (
        f"MoNuSeg-own-u-lite-s0: {tmp_path / 'sets' / 'MoNuSeg'} is not there; download it from https://" in answer.out
    )
    assert (tmp_path / "pages" / "table1.csv").is_file()
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "pages" / "bench").exists()  # there is nothing that times would stand beside


def test_a_dry_run_measures_a_step_and_writes_nothing(
    plan: Path, tmunet: Run, golden: Callable[..., None], make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    make_dataset(train=9)
    before = sorted(tmp_path.rglob("*"))
    places = ["--data", tmp_path, "--runs", tmp_path / "runs", "--out", tmp_path / "pages", "--plan", plan]
    answer = tmunet("reproduce", "table1", *places, "--device", "cpu", "--dry-run")
    assert answer.code == 0, answer.err
    assert "U-Lite, 2 x 32 px, cpu, times 2" in answer.err
    line = next(line for line in answer.out.splitlines() if "discs-own-u-lite-s0" in line)
    assert line.split()[1:3] == ["pending", "3"]
    golden("reproduce-dry-run", answer.out, hide=[r"(?<=pending      3).*", r"(?<=training and validation )[^;]*"])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_row_that_the_paper_does_not_have_is_refused_before_anything_is_measured(
    plan: Path, tmunet: Run, tmp_path: Path
) -> None:
    plan.write_text(PLAN.replace("row: U-Lite", "row: ULite"))
    answer = tmunet("reproduce", "table1", "--data", tmp_path, "--plan", plan, "--dry-run")
    assert (answer.code, answer.error, "'U-Lite'" in answer.err) == (2, "row", True), answer.err


def test_an_interruption_writes_the_pages_with_what_there_is(
    plan: Path, tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(runs: Sequence[PlannedRun], _environments: object, _seconds: object, watch: Watch) -> None:
        watch(runs[0], RunOutcome(ExecutionStatus.FAILED, 1.0, "tmunet train: The loss is not finite."))
        raise KeyboardInterrupt

    plan.write_text(PLAN.replace("seeds: [0]", "seeds: [0, 1]"))
    make_dataset()
    monkeypatch.setattr(runner, "execute_runs", interrupt)
    places = ["--data", tmp_path, "--runs", tmp_path / "runs", "--out", tmp_path / "pages", "--plan", plan]
    answer = tmunet("reproduce", "table1", *places, "--device", "cpu")
    assert answer.code == 130, answer.err
    assert "1 failed." in answer.out
    page = (tmp_path / "pages" / "table1.md").read_text()
    assert "U-Lite (seed 0): failed: tmunet train: The loss is not finite." in page
    assert "U-Lite (seed 1): not run yet." in page
