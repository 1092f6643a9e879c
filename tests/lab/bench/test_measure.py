"""One run: what is measured, and the notes of what is not."""

import csv
import json
import math
import sys
from pathlib import Path

import pytest

from tmunet.errors import TMUNetWarning
from tmunet.macs import count_macs, count_parameters
from tmunet.model import serialize
from tmunet_lab.bench.bench_files import write_measurements
from tmunet_lab.bench.bench_table import measurement_table
from tmunet_lab.bench.environment import machine, processor, run_environment
from tmunet_lab.bench.measure import Measurement, MeasurePlan, measure
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.peak_memory import LimitExceeded, Peak
from tmunet_lab.bench.thop import count_macs_thop
from tmunet_lab.bench.workload import Conditions

LABELS = ("tmunet_t", "rolling_unet_s", "zigrir", "tmunet_t:mstm.pooling=false")
PLAN = MeasurePlan(sizes=(48,), batches=(1, 2), rounds=2, warm_up=1, reference="tmunet_t")


def fake_probe(label: str, size: int, batch: int, conditions: Conditions) -> Peak | LimitExceeded:
    """In place of a subprocess."""
    if label == "rolling_unet_s" and batch == 2:
        return LimitExceeded("memory", "needs more memory than 8 GB")
    return Peak(before=1_000_000, highest=2_000_000 * batch, seconds=0.1)


@pytest.fixture(scope="module")
def rows() -> list[Measurement]:
    return measure(parse_model_specs(LABELS), PLAN, Conditions(), fake_probe)


def test_there_is_a_row_for_each_network_and_batch(rows: list[Measurement]) -> None:
    assert [(row.network, row.batch) for row in rows] == [(label, batch) for batch in (1, 2) for label in LABELS]


def test_what_is_counted_is_what_the_counts_say(rows: list[Measurement]) -> None:
    for spec, row in zip(parse_model_specs(LABELS), rows, strict=False):
        network = spec.create()
        assert row.parameters == count_parameters(network)
        assert row.weights_bytes == len(serialize(network))
        if row.network != "zigrir":
            assert row.macs == count_macs(network, (48, 48))
            assert row.macs_thop == count_macs_thop(network, (48, 48))
            assert row.activation_bytes is not None


def test_a_size_that_is_not_taken_and_a_network_that_does_not_fit_say_so(rows: list[Measurement]) -> None:
    notes = {(row.network, row.batch): row.note for row in rows if row.note}
    zigrir = "not run: takes height and width of at least 64 pixels, divisible by 64, equal to each other"
    assert notes == {
        ("zigrir", 1): zigrir,
        ("zigrir", 2): zigrir,
        ("rolling_unet_s", 2): "not run: needs more memory than 8 GB",
    }
    assert all((row.seconds is None) == bool(row.note) for row in rows)


def test_times_are_those_of_turns(rows: list[Measurement]) -> None:
    for row in rows:
        if row.seconds is None:
            assert row.images_per_second is None
            continue
        assert row.seconds.count == 2
        assert row.images_per_second == row.batch / row.seconds.median
        assert row.times_reference is not None
        if row.network == "tmunet_t":
            assert (row.times_reference.low, row.times_reference.median, row.times_reference.high) == (1.0, 1.0, 1.0)


def test_without_processes_there_is_no_peak_and_a_slow_network_says_how_many_rounds_it_had() -> None:
    plan = MeasurePlan(sizes=(48,), batches=(1,), rounds=3, warm_up=0, reference="tmunet_t")
    (row,) = measure(parse_model_specs(["tmunet_t"]), plan, Conditions(seconds=1e-9), None)
    assert row.peak_bytes is None
    assert row.note == "1 of 3 rounds: its time was up"
    assert row.seconds is not None


def test_the_table_shows_every_number_and_note(rows: list[Measurement]) -> None:
    text = measurement_table(rows, "tmunet_t")
    assert "Cost of one 48 x 48 image" in text
    assert "48 x 48 pixels, batch 2, float32 on cpu, torch; reference tmunet_t" in text
    for row in rows:
        lines = [line for line in text.splitlines() if line.split()[:1] == [row.network]]
        assert len(lines) == 1 + len(PLAN.batches)
        assert f"{row.parameters:,}" in lines[0]
        assert f"{row.seconds.median * 1e3:.1f}" in lines[row.batch] if row.seconds else row.note in lines[row.batch]


def test_the_files_have_every_fact(rows: list[Measurement], tmp_path: Path) -> None:
    about = run_environment(Conditions(), "tmunet bench") | {"rounds": 2}
    files = write_measurements(tmp_path / "new", rows, about)
    assert [path.name for path in files] == ["bench.csv", "bench.json", "bench.svg", "bench.pdf"]
    written = json.loads(files[1].read_text())
    assert written["command"] == "tmunet bench"
    assert {"processor", "cores", "threads", "versions", "date", "precision", "device"} <= written.keys()
    with files[0].open(newline="") as file:
        table = list(csv.DictReader(file))
    for row, flat, nested in zip(rows, table, written["measurements"], strict=True):
        assert flat["network"] == nested["network"] == row.network
        assert int(flat["parameters"]) == row.parameters
        assert nested["images_per_second"] == row.images_per_second
        if row.seconds:
            assert math.isclose(float(flat["seconds_median"]), row.seconds.median)
        else:
            assert flat["seconds_median"] == ""
            assert nested["seconds"] is None


def test_without_matplotlib_the_tables_are_written_and_a_warning_names_the_extra(
    rows: list[Measurement], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "bench.svg").write_text("old")
    with pytest.warns(TMUNetWarning, match=r"tmunet\[plots\]"):
        files = write_measurements(tmp_path, rows, run_environment(Conditions(), ""))
    assert sorted(tmp_path.iterdir()) == files == [tmp_path / "bench.csv", tmp_path / "bench.json"]


def test_the_machine_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert processor(tmp_path / "nothing")
    gpu = {"device": "Some GPU", "precision": "bfloat16"}
    assert machine(gpu) == "Some GPU, bfloat16"
