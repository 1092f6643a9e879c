"""`tmunet reproduce` as a user runs it: real processes, interrupted once, one network broken, one data set missing."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.cli.demo import sample_folder

NETWORK = "{model: ulite, settings: {epochs: 15}}"
BROKEN = "{model: ulite, model_args: {nonsense: 1}}"
PLAN = """\
title: Small
networks:
%s
data: [discs, rings]
splits: [own]
seeds: [0]
settings: {epochs: 1, batch_size: 2, preprocess: {size: 32}}
protocols: [strict]
"""


def reproduce(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tmunet", "reproduce", "table1", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_plan_is_interrupted_resumed_reported_and_not_done_twice(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    images = make_dataset(train=8, val=2, test=2) / "images"
    (images / "case10.png").write_bytes(
        (images / "case0.png").read_bytes()
    )  # a test image that is in train too, as in BUSI
    words = ["--data", ".", "--plan", "plan.yaml", "--device", "cpu", "--runs", "runs", "--out", "pages"]
    (tmp_path / "plan.yaml").write_text(PLAN % f"  Broken: {BROKEN}\n  U-Lite: {NETWORK}")
    run = tmp_path / "runs" / "discs-own-u-lite-s0"

    process = reproduce(tmp_path, *words)
    while len(rows(run / "metrics.csv")) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "discs-own-broken-s0: failed" in out
    broken = json.loads((tmp_path / "runs" / "discs-own-broken-s0.json").read_text())
    assert broken["error"] == "UsageError"
    assert "'nonsense'" in broken["message"]
    assert not (run / "model").exists()

    process = reproduce(tmp_path, *words)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 1, err  # for the broken one
    assert "1 of 4 runs are done, 1 of them now; 1 failed." in out
    assert "Data leakage: 1 test image" in (tmp_path / "pages" / "table1.md").read_text()
    assert "discs-own-broken-s0: failed: " in out
    assert "rings is not there" in out
    assert "Broken has no cost" in err
    log = run.with_name(f"{run.name}.log").read_text()
    assert [line.split()[3] for line in log.splitlines() if line.startswith("$ tmunet train")] == [
        "--data=discs",
        "--resume",
    ]
    assert [row["epoch"] for row in rows(run / "metrics.csv")] == [str(epoch) for epoch in range(1, 16)]
    assert (run / "evaluation" / "strict" / "per_image.csv").is_file()
    assert run.name in (tmp_path / "pages" / "table1.csv").read_text()
    assert (tmp_path / "pages" / "bench" / "table1" / "bench.json").is_file()

    (tmp_path / "plan.yaml").write_text(PLAN % f"  U-Lite: {NETWORK}")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    process = reproduce(tmp_path, *words)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "1 of 2 runs are done, 0 of them now; 0 failed." in out
    changed = {path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_mtime_ns != before.get(path)}
    assert changed
    assert {path.parent for path in changed} == {tmp_path / "pages"}


@pytest.mark.nightly
def test_the_smoke_plan_runs_on_the_sample(tmp_path: Path) -> None:
    process = reproduce(tmp_path, "--plan", "smoke", "--data", str(sample_folder().parent))
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert "4 of 4 runs are done, 4 of them now; 0 failed." in out
    assert (tmp_path / "reproduction" / "table1.csv").is_file()
