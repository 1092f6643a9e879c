"""Exported models: the folder, its check against PyTorch, and its script in a process that has no torch."""

import json
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from PIL import Image

from tmunet.errors import BackendError, UsageError
from tmunet.files import sha256
from tmunet.model import load_model
from tmunet.nn.input_size import InputSize
from tmunet.prediction import export_model as folder_module
from tmunet.prediction import predictor as predictor_module
from tmunet.prediction.export_model import export_model
from tmunet.prediction.postprocess import THRESHOLD
from tmunet.prediction.predictor import Predictor, packaged_model

from ..coded_errors import coded
from ..small_models import THREE, bright_model, colored_model
from .exported import SAMPLE, run_exported


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nuclei") / "nuclei-onnx"
    done = export_model(load_model(packaged_model()), "onnx", None, folder)
    assert done.parity.difference < 1e-4
    assert done.parity.same_labels > 0.9999
    return folder


@pytest.mark.slow
def test_the_script_writes_the_masks_of_tmunet_without_torch(nuclei: Path, tmp_path: Path) -> None:
    images = [next(SAMPLE.glob(f"{kind}_*.png")) for kind in ("dark", "bright", "stained")]
    done = run_exported(nuclei, *images, out=tmp_path)
    assert done.returncode == 0, done.stderr
    predictor = Predictor()
    for image in images:
        mask = np.asarray(Image.open(tmp_path / image.name))
        assert set(np.unique(mask)) == {0, 255}
        assert np.mean((mask > 0) == predictor(image).mask) >= 0.9999


def test_the_metadata_name_files_pipeline_and_weights(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["model.json", "model.onnx", "run.py"]
    about = json.loads((exported / "model.json").read_text())
    assert about["files"] == {"model.onnx": sha256(exported / "model.onnx")}
    assert (about["runtime"], about["classes"], about["normalize"]) == ("onnxruntime", list(THREE), "image")
    assert (about["network"], about["size"], about["threshold"]) == ("tmunet_t", 32, THRESHOLD)
    assert about["weights_sha256"] == Predictor(colored_model()).weights_sha256()
    assert {"tmunet", "torch", "onnxruntime"} <= about["versions"].keys()


def test_a_damaged_file_is_not_run(exported: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in exported.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "model.onnx").write_bytes((exported / "model.onnx").read_bytes()[:-1] + b"x")
    done = run_exported(damaged, next(SAMPLE.iterdir()), out=tmp_path / "masks")
    assert done.returncode != 0
    assert "expected SHA-256" in done.stderr
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(("to", "files"), [("openvino", ["model.bin", "model.xml"]), ("torch", ["model.pt2"])])
def test_other_formats_compute_the_same(to: str, files: list[str], tmp_path: Path) -> None:
    done = export_model(colored_model(), to, 64, tmp_path / "out")  # type: ignore[arg-type]
    assert done.parity.difference < 1e-4
    about = json.loads((done.folder / "model.json").read_text())
    assert sorted(about["files"]) == files
    assert (about["size"], about["sizes"], len(about["colors"])) == (64, {"only": 64}, 3)


@pytest.mark.slow
def test_bfloat16_moves_borders_a_little(tmp_path: Path) -> None:
    exported = export_model(load_model(packaged_model()), "openvino", None, tmp_path / "out").folder
    images = [next(SAMPLE.glob(f"{kind}_*.png")) for kind in ("dark", "bright", "stained")]
    done = run_exported(exported, *images, out=tmp_path / "masks", bfloat16=True)
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert "this processor does not have it" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    predictor = Predictor()
    same = [
        np.mean((np.asarray(Image.open(tmp_path / "masks" / one.name)) > 0) == predictor(one).mask) for one in images
    ]
    assert 0.99 < min(same) < 1


def test_bfloat16_is_refused_by_another_runtime(exported: Path, tmp_path: Path) -> None:
    done = run_exported(exported, next(SAMPLE.iterdir()), out=tmp_path / "masks", bfloat16=True)
    assert done.returncode != 0
    assert "this one is for onnxruntime; export with --format openvino" in done.stderr
    assert not (tmp_path / "masks").exists()


def test_several_classes_are_a_palette(tmp_path: Path) -> None:
    model = colored_model()
    exported = export_model(model, "openvino", None, tmp_path / "out").folder
    noise = np.random.default_rng(0).integers(0, 256, (45, 61, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    done = run_exported(exported, tmp_path / "noise.png", out=tmp_path / "masks")
    assert done.returncode == 0, done.stderr
    mask = Image.open(tmp_path / "masks" / "noise.png")
    assert mask.mode == "P"
    assert np.mean(np.asarray(mask) == Predictor(model)(noise).mask) >= 0.999  # of 2745 pixels


def test_a_file_that_computes_something_else_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = folder_module.WRITERS["torch"]

    def wrong(_: torch.nn.Module, images: torch.Tensor, folder: Path, sizes: InputSize | None) -> Path:
        other = bright_model(gain=7).network
        return write(folder_module.optimize_for_inference(other), images, folder, sizes)

    monkeypatch.setitem(folder_module.WRITERS, "torch", wrong)
    with pytest.raises(
        BackendError, match=r"tmunet_t as torch: does not compute what PyTorch computes.*Nothing was written"
    ):
        export_model(bright_model(), "torch", None, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_and_a_size_that_is_not_taken_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UsageError, check=coded("not-empty", tmp_path)):
        export_model(bright_model(), "torch", None, tmp_path)
    with pytest.raises(UsageError, match="Expected `size` to be a size"):
        export_model(load_model(packaged_model()), "torch", 31, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_predictor_runs_another_engine(backend: str) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8) for seed in range(3)]
    eager, other = Predictor(colored_model()), Predictor(colored_model(), backend=backend)  # type: ignore[arg-type]
    for a, b in zip(eager.predict(images), other.predict(images), strict=True):
        assert a.probability == pytest.approx(b.probability, abs=1e-5)


def test_a_predictor_refuses_an_engine_that_computes_something_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMUNET_CACHE", str(tmp_path))  # where no other test has kept the right export
    write = predictor_module.write_onnx
    wrong = colored_model().network
    monkeypatch.setattr(wrong, "bias", torch.nn.Parameter(torch.tensor([0.0, 0.1, 0.0])))
    monkeypatch.setattr(predictor_module, "write_onnx", lambda _, images, file: write(wrong, images, file))
    with pytest.raises(BackendError, check=coded("wrong-output")):
        Predictor(colored_model(), backend="onnx")


@pytest.mark.nightly
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_predictor_gives_the_same_masks_with_another_engine(backend: str) -> None:
    images = sorted(SAMPLE.iterdir())[::6]
    eager, other = Predictor(), Predictor(backend=backend)  # type: ignore[arg-type]
    equal = [np.mean(a.mask == b.mask) for a, b in zip(eager.predict(images), other.predict(images), strict=True)]
    assert min(equal) >= 0.9999
