"""The status of a run from the files in its folder, and whether it is the planned run."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import UsageError
from tmunet.files import write_json, write_text
from tmunet_lab.experiments.processes import ProcessGroup
from tmunet_lab.experiments.results import collect_results
from tmunet_lab.experiments.run_status import RunStatus, inspect_run, inspect_runs
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome, execute_run
from tmunet_lab.experiments.runs import PlannedRun

from ...coded_errors import coded
from .small_plans import calls

MakeRuns = Callable[..., list[PlannedRun]]
PENDING, MISSING_DATA, INTERRUPTED, TRAINED, DONE, DAMAGED = RunStatus


def do(run: PlannedRun) -> ExecutionStatus:
    return execute_run(run, os.environ, ProcessGroup()).status


def test_a_run_goes_from_pending_pendingne_and_back(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs(protocols=["paper", "strict"])
    assert (inspect_run(run).status, inspect_run(run).unscored) == (PENDING, ("paper", "strict"))
    assert do(run) == DONE
    assert (inspect_run(run).status, inspect_run(run).unscored, inspect_run(run).epochs) == (DONE, (), 1)
    shutil.rmtree(run.scores("strict"))
    assert (inspect_run(run).status, inspect_run(run).unscored) == (TRAINED, ("strict",))
    shutil.rmtree(run.folder.model)
    assert inspect_run(run).status == INTERRUPTED
    assert do(run) == DONE
    name = run.folder.path.name
    assert calls(tmp_path) == [f"{verb} {name}" for verb in ("train", "paper", "strict", "resume", "paper", "strict")]


def test_scores_of_other_weights_or_without_their_report_do_not_count(make_runs: MakeRuns) -> None:
    run, _ = make_runs()
    do(run)
    (run.scores("strict") / "report.html").unlink()
    assert inspect_run(run).unscored == ("strict",)
    do(run)
    write_text(run.folder.model / "model.safetensors", "other weights")
    assert inspect_run(run).unscored == ("strict",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"settings": {"epochs": 3, "batch_size": 4, "preprocess": {"size": 32}}},
            "expected epochs = 3 as planned, but found 2",
        ),
        ({"settings": {"epochs": 2, "batch_size": 4}}, "expected preprocess.size = 512 as planned, but found 32"),
        ({"recipe": "strong"}, "expected augment.brightness = 0.1 as planned, but found 0.0"),
    ],
)
def test_a_run_with_other_settings_is_refused(make_runs: MakeRuns, changes: dict[str, object], message: str) -> None:
    run, _ = make_runs()
    do(run)
    with pytest.raises(UsageError, check=coded("other-settings")) as caught:
        inspect_runs(make_runs(**changes))
    assert message in str(caught.value)
    assert str(run.folder.path) in str(caught.value)


def test_paths_and_devices_may_change_and_auto_is_what_it_meant(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    settings = {"epochs": 2, "batch_size": 4, "preprocess": {"size": 32}, "precision": "auto"}
    run, _ = make_runs(settings=settings)
    assert inspect_run(run).status == DONE
    text = (
        run.folder.config.read_text()
        .replace("device: cpu", "device: cuda")
        .replace(str(tmp_path / "discs"), "elsewhere")
    )
    write_text(run.folder.config, text)
    assert inspect_run(run).status == DONE


def test_another_split_is_refused(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    split = json.loads((tmp_path / "discs" / "split.json").read_text())
    write_json(tmp_path / "discs" / "split.json", {**split, "train": split["train"][1:]})
    with pytest.raises(UsageError, check=coded("other-split")):
        inspect_runs(make_runs())


def test_a_folder_of_something_else_is_refused_and_a_run_killed_at_its_start_begins_again(make_runs: MakeRuns) -> None:
    run, _ = make_runs()
    write_text(run.folder.provenance, "{}")
    write_text(run.folder.split, "{}")
    assert inspect_run(run).status == PENDING
    write_text(run.folder.path / "notes.txt", "mine")
    with pytest.raises(UsageError, check=coded("not-empty")):
        inspect_run(run)
    (run.folder.path / "notes.txt").unlink()
    assert do(run) == DONE


def test_finished_runs_need_no_data_and_others_say_what_is_missing(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    shutil.rmtree(tmp_path / "discs")
    done, missing = make_runs()
    assert inspect_run(done).status == DONE
    assert inspect_run(missing).status == MISSING_DATA
    results, reasons = collect_results(inspect_runs([done, missing]), {})
    assert [(result.network, result.protocol, result.seed, result.mean("dice")) for result in results] == [
        ("U-Lite", "strict", 0, 0.5)
    ]
    assert reasons == {missing.key: missing.source.reason}
    assert missing.source.reason


def test_reasons_tell_how_far_a_run_has_come(make_runs: MakeRuns) -> None:
    first, second = make_runs()
    do(first)
    shutil.rmtree(first.scores("strict"))
    reasons = collect_results(inspect_runs([first, second]), {})[1]
    assert reasons == {first.key: "trained, but not scored yet", second.key: "not run yet"}
    shutil.rmtree(first.folder.model)
    assert collect_results(inspect_runs([first]), {})[1][first.key] == "interrupted after 1 of 2 epochs"


def test_the_reason_of_a_failure_is_its_first_line_and_the_log(make_runs: MakeRuns) -> None:
    run, _ = make_runs()
    outcome = RunOutcome(ExecutionStatus.FAILED, 1.0, "tmunet train: no [a] here.\n  - b", "DataError")
    missing = collect_results(inspect_runs([run]), {run.key: outcome})[1]
    assert missing == {run.key: f"failed: tmunet train: no [a] here. See {run.log}"}


def test_scores_count_where_weights_and_checkpoints_were_not_kept(make_runs: MakeRuns) -> None:
    run, other = make_runs()
    do(run)
    shutil.rmtree(run.folder.model)
    shutil.rmtree(run.folder.last.parent, ignore_errors=True)
    (run.scores("strict") / "report.html").unlink()
    assert inspect_run(run).status == DONE
    (run.scores("strict") / "per_image.csv").unlink()
    assert inspect_run(run).status != DONE
    assert inspect_run(other).status == PENDING


@pytest.mark.parametrize("file", ["evaluation/strict/summary.json", "provenance.json", "model/model.safetensors"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_run_stops_no_other(make_runs: MakeRuns, file: str, cut: bool) -> None:
    run, other = make_runs()
    do(run)
    path = run.folder.path / file
    if cut and path.suffix == ".json":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    (_, found), (_, pending) = inspect_runs([run, other])
    assert pending.status == PENDING
    if file == "provenance.json":
        assert found.status == DAMAGED
        assert str(path) in collect_results([(run, found)], {})[1][run.key]
    else:
        assert found.unscored == ("strict",)
