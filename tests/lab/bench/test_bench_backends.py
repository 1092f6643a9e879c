"""Networks run by other backends, beside PyTorch in the same turns."""

from pathlib import Path

import pytest
import torch

from tmunet.errors import BackendError, UsageError
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends import sessions as backends
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.sessions import create_session
from tmunet.registry import create_model
from tmunet_lab.bench.bench_table import measurement_table
from tmunet_lab.bench.measure import Measurement, MeasurePlan, measure
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.peak_memory import Peak
from tmunet_lab.bench.scaling import measure_scaling
from tmunet_lab.bench.subprocess_probe import measure_in_subprocess
from tmunet_lab.bench.workload import Conditions

from ...coded_errors import coded

PLAN = MeasurePlan(sizes=(64,), batches=(1, 2), rounds=1, warm_up=0, reference="tmunet_t")
LABELS = ("tmunet_t", "tmunet_t@onnx", "tmunet_t@openvino")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Measurement]:
    return measure(parse_model_specs(LABELS), PLAN, Conditions(exports=str(folder)), None)


@pytest.mark.slow
def test_every_engine_gives_the_logits_of_pytorch_in_the_same_turns(rows: list[Measurement], folder: Path) -> None:
    assert [(row.backend, row.batch) for row in rows] == [(e, b) for b in (1, 2) for e in ("torch", "onnx", "openvino")]
    for row in rows:
        assert row.seconds is not None, row.note
        assert row.times_reference is not None
        if row.backend == "torch":
            assert row.difference is None
        else:
            assert row.difference is not None
            assert row.difference < 1e-4
    assert [file.name for file in folder.iterdir()] == ["tmunet-t-64.onnx"]  # one file for both backends and batches
    assert "torch where no backend is named" in measurement_table(rows, "tmunet_t")


@pytest.mark.slow
def test_a_process_of_its_own_runs_the_file_that_is_there(rows: list[Measurement], folder: Path) -> None:
    assert rows
    peak = measure_in_subprocess("tmunet_t@onnx", 64, 1, Conditions(exports=str(folder)))
    assert isinstance(peak, Peak)
    assert peak.highest > peak.before


def test_what_an_engine_cannot_do_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("outer") from ValueError("no such operation\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    plan = MeasurePlan(sizes=(64,), batches=(1,), rounds=1, warm_up=0, reference="ulite")
    conditions = Conditions(exports=str(tmp_path))
    ulite, broken = measure(parse_model_specs(["ulite", "ulite@onnx"]), plan, conditions, None)
    assert ulite.seconds is not None
    assert (broken.seconds, broken.note) == (None, "not run: cannot be written as ONNX: no such operation")
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    specs = parse_model_specs(["ulite@onnx"])
    network = specs[0].create().eval().requires_grad_(False)
    (tmp_path / "ulite-64.onnx").write_bytes(b"")  # in place of a slow export: the engine below reads no file
    monkeypatch.setitem(backends.LOADERS, "onnx", lambda *_: lambda images: network(images) * factor)
    plan = MeasurePlan(sizes=(64,), batches=(1,), rounds=1, warm_up=0, reference="ulite@onnx")
    factor = 1.0
    (right,) = measure(specs, plan, Conditions(exports=str(tmp_path)), None)
    assert right.seconds is not None
    factor = 1.01
    (wrong,) = measure(specs, plan, Conditions(exports=str(tmp_path)), None)
    assert wrong.seconds is None
    assert wrong.note.startswith("not run: does not compute what PyTorch computes: a logit is off by")


@pytest.mark.slow
def test_lower_precision_says_how_far_it_is_off_or_that_there_is_none(folder: Path, rows: list[Measurement]) -> None:
    assert rows
    conditions = Conditions(precision="bfloat16", exports=str(folder))
    torch_row, onnx, openvino = measure(
        parse_model_specs(LABELS), MeasurePlan((64,), (1,), 1, 0, "tmunet_t"), conditions, None
    )
    assert onnx.note == "not run: onnx runs float32 only"
    assert torch_row.difference is not None
    assert 1e-5 < torch_row.difference < 0.1
    assert openvino.difference is not None
    assert openvino.difference < 0.1


def test_growth_is_measured_of_pytorch_alone() -> None:
    with pytest.raises(UsageError, match="ulite@onnx"):
        measure_scaling(parse_model_specs(["ulite@onnx"]), [64], 1, 0, Conditions(), measure_in_subprocess)


def test_an_engine_that_is_not_there_or_has_no_file_is_an_error(tmp_path: Path) -> None:
    network, images = create_model("tmunet_t").eval(), torch.zeros(1, 3, 32, 32)
    with pytest.raises(UsageError, check=coded("value")):
        create_session("onnx", network, images, 1, "float32")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for backend in ("onnx", "openvino"):
        with pytest.raises(BackendError, check=coded("file")):
            create_session(backend, network, images, 1, "float32", tmp_path / "broken.onnx")  # type: ignore[arg-type]
    with pytest.raises(BackendError, check=coded("device")):
        create_session("onnx", network, images.to("meta"), 1, "float32", tmp_path / "broken.onnx")


def test_the_compiler_is_asked_with_the_form_for_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.nn.Module] = []

    def note(network: torch.nn.Module, dynamic: bool) -> torch.nn.Module:
        assert not dynamic
        asked.append(network)
        return network

    monkeypatch.setattr(torch, "compile", note)
    network, images = create_model("tmunet_t").eval(), torch.rand(1, 3, 32, 32)
    logits = create_session("compile", network, images, 1, "float32")(images)
    with torch.no_grad():
        torch.testing.assert_close(logits, optimize_for_inference(network)(images))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in asked[0].modules())
    assert backends.PACKAGES.get("compile") is None


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["tmunet_b", "unet", "tinyunet", "rolling_unet_s", "monai_basicunet"])
def test_networks_of_the_comparison_can_be_export_path(name: str, tmp_path: Path) -> None:
    network, images = create_model(name).eval(), torch.rand(2, 3, 128, 128)
    write_onnx(optimize_for_inference(network), images[:1], tmp_path / "network.onnx")
    with torch.no_grad():
        expected = network(images)
    for backend in ("onnx", "openvino"):
        logits = create_session(backend, network, images, 1, "float32", tmp_path / "network.onnx")(images)  # type: ignore[arg-type]
        assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.nightly
def test_u_lite_is_timed_with_both_engines(tmp_path: Path) -> None:
    """OpenVINO 2026.4 moves its GELU in front of the max-pooling where the file has one pooling of 2 x 2."""
    plan = MeasurePlan(sizes=(128,), batches=(1,), rounds=1, warm_up=0, reference="ulite@onnx")
    conditions = Conditions(exports=str(tmp_path))
    onnx, openvino = measure(parse_model_specs(["ulite@onnx", "ulite@openvino"]), plan, conditions, None)
    assert onnx.seconds is not None
    assert openvino.seconds is not None
