"""`tmunet bench`."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tmunet.cli import bench
from tmunet_lab.bench import paper_flops as paper
from tmunet_lab.bench.utilization import SIDES

from .conftest import Answer

Run = Callable[..., Answer]

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def fast_product_and_same_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(SIDES, "cpu", 512)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@linux
@pytest.mark.slow
def test_bench_prints_a_table_and_writes_files(tmunet: Run, tmp_path: Path) -> None:
    words = [
        "tmunet_t",
        "ulite",
        "--sizes",
        "64",
        "--batches",
        "1,2",
        "--rounds",
        "2",
        "--threads",
        "1",
        "-o",
        tmp_path,
    ]
    answer = tmunet("bench", *words)
    assert answer.code == 0, answer.err
    assert "64 x 64 pixels, batch 2, float32 on cpu, torch; reference tmunet_t" in answer.out
    assert "1 thread, float32; medians of 2 rounds interleaved, 1 warm-up in each; limits 8 GB and 60 s." in answer.out
    assert "batch 2: memory of ulite" in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.csv", "bench.json", "bench.pdf", "bench.svg"]
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["command"] == f"tmunet bench {' '.join(map(str, words))}"
    assert (written["threads"], written["rounds"], written["warm_up"]) == (1, 2, 1)
    assert all(row["peak_bytes"] > 50_000_000 for row in written["measurements"])


@linux
def test_growth_stops_at_the_limit(tmunet: Run, tmp_path: Path) -> None:
    limits = ["--memory-limit", "0.02", "--rounds", "1", "--warm-up", "0"]
    answer = tmunet("bench", "tmunet_t", "--growth", "--sizes", "96,64", *limits, "--out", tmp_path)
    assert answer.code == 0, answer.err
    steps = json.loads((tmp_path / "growth.json").read_text())["steps"]
    assert [(step["size"], step["seconds"]) for step in steps] == [(64, None), (96, None)]


def test_options_bfloat16_and_a_reference_without_processes(tmunet: Run, tmp_path: Path) -> None:
    bare = "tmunet_t:mstm.xlstm=false,mstm.pooling=false,mstm.dwconv=false"
    words = ["--sizes", "64", "--batches", "1", "--rounds", "1", "--memory=false", "--precision", "bfloat16"]
    answer = tmunet("bench", "ulite", bare, *words, "--reference", bare, "--out", tmp_path)
    assert answer.code == 0, answer.err
    full, without = json.loads((tmp_path / "bench.json").read_text())["measurements"]
    assert (without["network"], without["times_reference"]["median"]) == (bare, 1.0)
    assert (full["precision"], full["peak_bytes"]) == ("bfloat16", None)


def test_the_paper_is_compared_and_nothing_written(
    tmunet: Run, golden: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paper, "FIGURES", tuple(f for f in paper.FIGURES if f.network in ("unet", "ulite")))
    answer = tmunet("bench", "--paper")
    assert answer.code == 0
    assert ["U-Net", "124.48", "124.476", "123.682", "yes", "unet"] in [
        line.split() for line in answer.out.splitlines()
    ]
    golden("bench-paper", answer.out)
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_package_is_missing_is_left_out_of_all_and_an_error_by_name(
    tmunet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    monkeypatch.setattr("tmunet.registry.list_models", lambda: ("ulite", "monai_segresnet"))
    words = ["--sizes", "64", "--batches", "1", "--rounds", "1", "--memory=false", "--out", tmp_path]
    named = tmunet("bench", "monai_segresnet", *words)
    assert (named.code, named.error) == (4, "missing-extra")
    answer = tmunet("bench", *words)
    assert answer.code == 0
    assert "monai_segresnet" in answer.err
    (left_out,) = json.loads((tmp_path / "bench.json").read_text())["left_out"]
    assert left_out.startswith("monai_segresnet")


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["--paper", "--growth"], "flags", "--paper"),
        (["--growth", "--memory=false"], "flags", "--memory"),
        (["--growth", "--training"], "flags", "--training"),
        (["tmunet_t", "--rounds", "0"], "value", "`rounds`"),
        (["tmunet_t", "--sizes", "64,x"], "value", "`sizes`"),
        (["tmunet_t", "--batches", "1,1"], "value", "`batches`"),
        (["tmunet_t", "--threads", "0"], "value", "`threads`"),
        (["tmunet_t", "--memory-limit", "0"], "value", "limits"),
        (["tmunet_t", "--reference", "unet"], "value", "`reference`"),
        (["tmunett"], "network", "'tmunett'"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_measured(tmunet: Run, words: list[str], error: str, named: str) -> None:
    answer = tmunet("bench", *words)
    assert (answer.code, answer.out, answer.error) == (2, "", error)
    assert named in answer.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(tmunet: Run) -> None:
    answer = tmunet("bench", "tmunet_t", "--device", "cuda")
    assert (answer.code, answer.error) == (2, "device")


def test_the_reference_is_the_papers_network_or_the_first() -> None:
    assert bench._reference(None, ["unet", "tmunet_b"]) == "tmunet_b"
    assert bench._reference(None, ["unet", "ulite"]) == "unet"
