"""Training steps as they are measured: what a step does, its memory, and what cannot be trained."""

import pytest
import torch

from tmunet.cli.bench import BenchConfig
from tmunet.errors import BackendError, UsageError
from tmunet.registry import create_model
from tmunet_lab.bench.bench_table import measurement_table
from tmunet_lab.bench.measure import Measurement, MeasurePlan, measure
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.peak_memory import Peak
from tmunet_lab.bench.subprocess_probe import measure_in_subprocess
from tmunet_lab.bench.workload import Conditions, inference

from ...coded_errors import coded

PLAN = MeasurePlan(sizes=(64,), batches=(2,), rounds=1, warm_up=0, reference="ulite")


def rows(*labels: str, checkpointing: bool = False) -> list[Measurement]:
    return measure(parse_model_specs(labels), PLAN, Conditions(training=True, checkpointing=checkpointing), None)


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_a_call_trains(precision: str) -> None:
    (spec,) = parse_model_specs(["tmunet_t"])
    network = spec.create()
    step = inference(network, 32, 2, Conditions(precision=precision, training=True))  # type: ignore[arg-type]
    losses = [float(step()) for _ in range(10)]
    assert network.training
    assert losses[-1] < losses[0]


def test_a_step_is_timed_and_said_to_be_one() -> None:
    trained, exported = rows("ulite", "ulite@onnx")
    assert trained.work == "Training step"
    assert trained.seconds is not None
    assert (exported.seconds, exported.note) == (None, "not run: onnx does not train")
    assert "Training step, 64 x 64 pixels, batch 2, float32 on cpu" in measurement_table([trained], "ulite")


@pytest.mark.slow
def test_checkpointing_keeps_less() -> None:
    (plain,), (less,) = rows("tmunet_t"), rows("tmunet_t", checkpointing=True)
    assert plain.activation_bytes is not None
    assert less.activation_bytes is not None
    assert less.activation_bytes < plain.activation_bytes / 3
    assert less.macs == plain.macs


@pytest.mark.slow
def test_the_memory_of_a_step_is_more_than_that_of_a_prediction() -> None:
    peaks = [measure_in_subprocess("tmunet_t", 256, 2, Conditions(training=training)) for training in (False, True)]
    prediction, step = (peak.highest - peak.before for peak in peaks if isinstance(peak, Peak))
    assert step > 1.2 * prediction


@pytest.mark.parametrize("fields", [{"growth": True, "training": True}, {"paper": True, "training": True}])
def test_what_trains_nothing_is_refused(fields: dict[str, bool]) -> None:
    with pytest.raises(UsageError, check=coded("flags")):
        BenchConfig(**fields)  # type: ignore[arg-type]


def test_checkpointing_without_training_is_refused() -> None:
    with pytest.raises(UsageError, check=coded("flags")):
        Conditions(checkpointing=True)


def test_the_same_step_every_time() -> None:
    found = []
    for _ in range(2):
        (spec,) = parse_model_specs(["tmunet_t"])
        step = inference(spec.create(), 64, 1, Conditions(training=True))
        found.append(torch.stack([step(), step()]))
    torch.testing.assert_close(found[0], found[1])


def test_what_a_compiler_does_not_take_is_an_error() -> None:
    conditions = Conditions(training=True, checkpointing=True)
    with pytest.raises(BackendError, check=coded("checkpointing")):
        inference(create_model("tmunet_t"), 64, 1, conditions, "compile")
