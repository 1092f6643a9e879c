"""Files for images of any size."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tmunet.errors import BackendError
from tmunet.model import TrainedModel, load_model
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.input_size import InputSize, input_size_of
from tmunet.prediction.backends.torch_graph import validation_sizes
from tmunet.prediction.export_model import export_model
from tmunet.prediction.predictor import Predictor, packaged_model
from tmunet.prediction.validate import OTHER_SIZES, TOLERANCE, synthetic_images

from ..coded_errors import coded
from ..small_models import bright_model, colored_model
from .exported import SAMPLE, run_exported

UNET = InputSize(minimum=16, multiple=8, square=False)


class Halving(nn.Module):
    """Three labels of images whose sides divide by 8, through a map of an eighth of their size."""

    input_size = UNET

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 3, 8, stride=8).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        self.input_size.check(x, 3)
        coarse = nn.functional.interpolate(self.down(x), size=x.shape[2:], mode="bilinear")
        return coarse + x


class Branching(nn.Module):
    """Does something else with some images."""

    def __init__(self, odd: Callable[[int], bool]) -> None:
        super().__init__()
        self.odd = odd

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return 2 * mean if self.odd(x.shape[2]) else mean


def trained(network: nn.Module) -> TrainedModel:
    return replace(colored_model(), network=network.eval())


@pytest.mark.parametrize("to", ["onnx", "openvino", "torch"])
def test_a_file_takes_any_size_that_its_network_takes(to: str, tmp_path: Path) -> None:
    done = export_model(trained(Halving()), to, "any", tmp_path / "out")  # type: ignore[arg-type]
    assert done.parity.difference < 1e-5
    about = json.loads((done.folder / "model.json").read_text())
    assert (about["size"], about["sizes"]) == (32, {"minimum": 16, "multiple": 8, "square": False})


@pytest.mark.slow
def test_the_script_takes_other_sizes_and_refuses_those_that_the_network_does_not(tmp_path: Path) -> None:
    model = trained(Halving())
    exported = export_model(model, "onnx", "any", tmp_path / "out").folder
    noise = np.random.default_rng(0).integers(0, 256, (45, 61, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    masks = {}
    for size in (None, 32, 48):
        done = run_exported(exported, tmp_path / "noise.png", out=tmp_path / "masks", size=size)
        assert done.returncode == 0, done.stderr
        masks[size] = np.asarray(Image.open(tmp_path / "masks" / "noise.png"))
        at = replace(model.config, preprocess=replace(model.config.preprocess, size=size or 32))
        assert np.mean(masks[size] == Predictor(replace(model, config=at))(noise).mask) >= 0.999
    assert (masks[None] == masks[32]).all()
    assert (masks[48] != masks[32]).any()
    for size in (8, 44):
        refused = run_exported(exported, tmp_path / "noise.png", out=tmp_path / "refused", size=size)
        assert refused.returncode != 0
        assert f"--size: expected at least 16, divisible by 8, but got {size}" in refused.stderr
    assert not (tmp_path / "refused").exists()


def test_the_script_of_a_file_for_one_size_takes_no_other(exported: Path, tmp_path: Path) -> None:
    done = run_exported(exported, next(SAMPLE.iterdir()), out=tmp_path / "masks", size=48)
    assert done.returncode != 0
    assert "--size: expected 32, the one size of this model; export with --size any, but got 48." in done.stderr


@pytest.mark.parametrize("to", [pytest.param("onnx", marks=pytest.mark.slow), "torch"])
@pytest.mark.parametrize("odd", [lambda side: side < 20, lambda side: side % 4 != 0, lambda side: side % 4 == 0])
def test_a_network_that_branches_on_the_size_is_refused(to: str, odd: Callable[[int], bool], tmp_path: Path) -> None:
    with pytest.raises(
        BackendError, match=r"as \w+: does not (compute|run) .*\(\d, 3, \d+, \d+\).*Nothing was written"
    ):
        export_model(trained(Branching(odd)), to, "any", tmp_path / "out")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_one_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bright_model()
    monkeypatch.setattr(model.network, "input_size", InputSize(minimum=32, only=32), raising=False)
    with pytest.raises(BackendError, check=coded("one-size")):
        export_model(model, "torch", "any", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sizes", [InputSize(1), InputSize(32), UNET, InputSize(16, multiple=16, square=True)])
def test_what_is_checked_is_taken_and_smaller_larger_and_not_square(sizes: InputSize) -> None:
    checked = validation_sizes(sizes, 64)
    assert all(sizes.admits(*size) for size in checked)
    assert checked[0] == sizes.nearest(1, 1)
    assert (128, 128) in checked
    assert any(height != width for height, width in checked) is not sizes.square


@pytest.mark.nightly
@pytest.mark.parametrize("to", ["onnx", "openvino", "torch"])
def test_tmunet_takes_any_size(to: str, tmp_path: Path) -> None:
    done = export_model(load_model(packaged_model()), to, "any", tmp_path / "out")  # type: ignore[arg-type]
    assert done.parity.difference <= 1e-3


@pytest.mark.nightly
@torch.no_grad()
def test_far_from_training_float32_itself_is_beyond_the_tolerance_of_training_and_within_the_other() -> None:
    model = load_model(packaged_model())
    network, exact = optimize_for_inference(model.network), deepcopy(model.network).double()
    side = model.config.preprocess.size
    errors = []
    for shape in validation_sizes(input_size_of(model.network), side):
        images = synthetic_images(1, 3, *shape)
        expected = exact(images.double())
        errors.append(float((network(images) - expected).abs().max() / expected.abs().max().clamp(min=1)))
    assert TOLERANCE < max(errors) < OTHER_SIZES
