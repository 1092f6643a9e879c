"""What lies in a run folder tells how far the run has come, and whether it is the planned one."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import UsageError
from tmunet.files import write_json, write_text
from tmunet_lab.experiments.execute_run import Outcome, complete
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.processes import Stop
from tmunet_lab.experiments.run_log import collect
from tmunet_lab.experiments.run_state import examine, state_of

from .small_grids import calls

MakeRuns = Callable[..., list[PlannedRun]]


def do(run: PlannedRun) -> str:
    return complete(run, os.environ, Stop()).state


def test_a_run_goes_from_to_do_to_done_and_back(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs(protocols=["paper", "strict"])
    assert (state_of(run).name, state_of(run).unscored) == ("to do", ("paper", "strict"))
    assert do(run) == "done"
    assert (state_of(run).name, state_of(run).unscored, state_of(run).epochs) == ("done", (), 1)
    shutil.rmtree(run.scores("strict"))
    assert (state_of(run).name, state_of(run).unscored) == ("trained", ("strict",))
    shutil.rmtree(run.folder.model)
    assert state_of(run).name == "interrupted"
    assert do(run) == "done"
    name = run.folder.path.name
    assert calls(tmp_path) == [f"{verb} {name}" for verb in ("train", "paper", "strict", "resume", "paper", "strict")]


def test_scores_of_other_weights_or_without_their_report_do_not_count(make_runs: MakeRuns) -> None:
    run, _ = make_runs()
    do(run)
    (run.scores("strict") / "report.html").unlink()
    assert state_of(run).unscored == ("strict",)
    do(run)
    write_text(run.folder.model / "model.safetensors", "other weights")
    assert state_of(run).unscored == ("strict",)


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
    with pytest.raises(UsageError, match="other settings") as caught:
        examine(make_runs(**changes))
    assert message in str(caught.value)
    assert str(run.folder.path) in str(caught.value)


def test_paths_and_devices_may_change_and_auto_is_what_it_meant(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    settings = {"epochs": 2, "batch_size": 4, "preprocess": {"size": 32}, "precision": "auto"}
    run, _ = make_runs(settings=settings)
    assert state_of(run).name == "done"
    text = (
        run.folder.config.read_text()
        .replace("device: cpu", "device: cuda")
        .replace(str(tmp_path / "discs"), "elsewhere")
    )
    write_text(run.folder.config, text)
    assert state_of(run).name == "done"


def test_another_split_is_refused(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    split = json.loads((tmp_path / "discs" / "split.json").read_text())
    write_json(tmp_path / "discs" / "split.json", {**split, "train": split["train"][1:]})
    with pytest.raises(UsageError, match="a run with another split: expected SHA-256"):
        examine(make_runs())


def test_a_folder_of_something_else_is_refused_and_a_run_killed_at_its_start_begins_again(make_runs: MakeRuns) -> None:
    run, _ = make_runs()
    write_text(run.folder.provenance, "{}")
    write_text(run.folder.split, "{}")
    assert state_of(run).name == "to do"
    write_text(run.folder.path / "notes.txt", "mine")
    with pytest.raises(UsageError, match=r"expected a run folder, but found notes.txt"):
        state_of(run)
    (run.folder.path / "notes.txt").unlink()
    assert do(run) == "done"


def test_finished_runs_need_no_data_and_others_say_what_is_missing(make_runs: MakeRuns, tmp_path: Path) -> None:
    run, _ = make_runs()
    do(run)
    shutil.rmtree(tmp_path / "discs")
    done, missing = make_runs()
    assert state_of(done).name == "done"
    assert state_of(missing).name == "missing data"
    found = collect(examine([done, missing]), {})
    assert [(result.network, result.protocol, result.seed, result.mean("dice")) for result in found.results] == [
        ("U-Lite", "strict", 0, 0.5)
    ]
    assert list(found.missing) == [missing.key]
    assert "is not there" in found.missing[missing.key]


def test_reasons_tell_how_far_a_run_has_come(make_runs: MakeRuns) -> None:
    first, second = make_runs()
    do(first)
    shutil.rmtree(first.scores("strict"))
    reasons = collect(examine([first, second]), {}).missing
    assert reasons == {first.key: "trained, but not scored yet", second.key: "not run yet"}
    shutil.rmtree(first.folder.model)
    assert collect(examine([first]), {}).missing[first.key] == "interrupted after 1 of 2 epochs"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "train:   0%|  | 0/9 [00:00<?, ?step/s]tmunet train: The loss is not finite.\n"
            "train:  11%|# | 1/9 [00:00<00:04, 1.76step/s]",
            "The loss is not finite.",
        ),
        ("tmunet train: no [a] here.\n  - b", "no [a] here."),
        ("Traceback\nKeyError: 'x'\ntrain:  11%|# | 1/9 [00:00<00:04, 1.76step/s]", "KeyError: 'x'"),
        ("tmunet train: warning: it leaks.\nKilled", "Killed"),
    ],
)
def test_the_reason_of_a_failure_is_what_the_command_said(make_runs: MakeRuns, log: str, reason: str) -> None:
    run, _ = make_runs()
    outcome = Outcome("failed", 1.0, f"tmunet train ended with exit code 3. The last lines of a.log:\n{log}")
    found = collect(examine([run]), {run.key: outcome}).missing[run.key]
    assert found.removeprefix("failed: ").removeprefix("tmunet train: ") == f"{reason} See {run.log}"


def test_scores_count_where_weights_and_checkpoints_were_not_kept(make_runs: MakeRuns) -> None:
    run, other = make_runs()
    do(run)
    shutil.rmtree(run.folder.model)
    shutil.rmtree(run.folder.last.parent, ignore_errors=True)
    (run.scores("strict") / "report.html").unlink()
    assert state_of(run).name == "done"
    (run.scores("strict") / "per_image.csv").unlink()
    assert state_of(run).name != "done"
    assert state_of(other).name == "to do"


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
    (_, found), (_, to_do) = examine([run, other])
    assert to_do.name == "to do"
    if file == "provenance.json":
        assert found.name == "damaged"
        assert str(path) in collect([(run, found)], {}).missing[run.key]
    else:
        assert found.unscored == ("strict",)
