"""Files in int8, and how their masks are compared."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tmunet.errors import BackendError, UsageError
from tmunet.model import load_model
from tmunet.prediction import export_model as export_module
from tmunet.prediction.export_model import export_model
from tmunet.prediction.pipeline import Pipeline
from tmunet.prediction.predictor import Predictor, packaged_model
from tmunet.prediction.validate import compare_masks

from ..coded_errors import coded
from ..small_models import bright_model, colored_model
from .exported import SAMPLE, run_exported


def logits_of(*pixels: float) -> Tensor:
    """Logits (1, 1, 1, N) of two classes."""
    return torch.tensor(pixels).reshape(1, 1, 1, -1)


def test_the_agreement_of_masks_is_counted_image_by_image() -> None:
    images = [torch.ones(1, 1, 20, 20), -torch.ones(1, 1, 20, 20)]  # all foreground, all background
    flipped = torch.ones(1, 1, 20, 20)
    flipped[0, 0, 0, :5] = -1
    done = compare_masks(lambda x: x * flipped if x.max() > 0 else x, lambda x: x, images)
    assert done.images == 2
    assert done.same_labels == pytest.approx(1 - 5 / 800)
    assert done.lowest_dice == pytest.approx(2 * 395 / 795)
    assert done.dice == pytest.approx((done.lowest_dice + 1) / 2)  # two empty masks agree


def test_several_classes_count_alike() -> None:
    expected = torch.nn.functional.one_hot(torch.tensor([[0] * 198 + [1, 2]]), 3).permute(0, 2, 1)[:, :, None].float()
    without_the_second = expected.clone()
    without_the_second[0, :, 0, -1] = torch.tensor([1.0, 0, 0])
    with pytest.raises(BackendError, match=r"found 0\.5000 and 99\.500% on 1 images"):
        compare_masks(lambda _: without_the_second, lambda x: x, [expected])


def test_masks_that_differ_too_much_are_refused() -> None:
    with pytest.raises(BackendError, check=coded("int8-accuracy")):
        compare_masks(lambda x: -x, lambda x: x, [logits_of(1, -1, -1, 1)])
    with pytest.raises(BackendError, check=coded("not-finite")):
        compare_masks(lambda x: x * torch.nan, lambda x: x, [logits_of(-1, -1)])


def test_calibration_images_are_preprocessed_as_for_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrated: list[Tensor] = []

    def quantize(model: Path, pipeline: Pipeline, images: list[Path], out: Path) -> None:
        calibrated.extend(pipeline.preprocess(pipeline.load(image)) for image in images)
        for file in model.parent.iterdir():
            (out.parent / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(export_module, "quantize", quantize)
    images = sorted(SAMPLE.glob("stained_*.png"))[:2]
    done = export_model(colored_model(), "openvino", 48, tmp_path / "out", images)
    assert done.agreement is not None
    assert (done.agreement.images, done.agreement.same_labels) == (2, pytest.approx(1, abs=1e-3))
    given: list[Tensor] = []
    model = colored_model(48)
    pipeline = Pipeline(model.config, lambda x: given.append(x) or model.network(x))  # type: ignore[func-returns-value]
    pipeline([pipeline.load(image) for image in images])
    assert torch.equal(torch.cat(calibrated), given[0])


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_int8_is_for_openvino_alone(to: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, check=coded("int8-format")):
        export_model(bright_model(), to, None, tmp_path / "out", [SAMPLE])  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.nightly
def test_nuclei_in_int8(tmp_path: Path) -> None:
    images = sorted(SAMPLE.iterdir())
    done = export_model(load_model(packaged_model()), "openvino", None, tmp_path / "out", images[::2])
    assert done.agreement is not None
    about = json.loads((done.folder / "model.json").read_text())
    assert about["int8_masks_against_torch"]["dice"] == done.agreement.dice >= 0.98
    assert {"nncf", "openvino"} <= about["versions"].keys()
    assert 'element_type="i8"' in (done.folder / "model.xml").read_text()
    ran = run_exported(done.folder, *images[1::8], out=tmp_path / "masks")
    assert ran.returncode == 0, ran.stderr
    predictor = Predictor()
    same = [
        np.mean((np.asarray(Image.open(tmp_path / "masks" / image.name)) > 0) == predictor(image).mask)
        for image in images[1::8]
    ]
    assert 0.99 <= np.mean(same) < 1


@pytest.mark.nightly
def test_a_network_without_inner_convolutions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, check=coded("not-quantizable")):
        export_model(bright_model(), "openvino", None, tmp_path / "out", [next(SAMPLE.iterdir())])
    assert list(tmp_path.iterdir()) == []
