"""thop counts: modules counted by hand, and the numbers of thop itself on the authors' networks."""

import pytest
import torch
from torch import Tensor, nn

from tmunet.macs import count_macs
from tmunet.registry import create_model
from tmunet_lab.bench.thop import count_macs_thop

SIZE = (10, 12)
PIXELS = 10 * 12


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(3, 8, 5, padding=2), 8 * PIXELS * 3 * 25),
        (nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), 6 * PIXELS // 4 * 1 * 9),
        (nn.ConvTranspose2d(3, 8, 2, stride=2), 8 * 4 * PIXELS * 3 * 4),
        (nn.BatchNorm2d(3), 4 * 3 * PIXELS),
        (nn.BatchNorm2d(3, affine=False), 2 * 3 * PIXELS),
        (nn.InstanceNorm2d(3, affine=True), 4 * 3 * PIXELS),
        (nn.InstanceNorm2d(3), 2 * 3 * PIXELS),
        (nn.LayerNorm(12), 4 * 3 * PIXELS),
        (nn.Linear(12, 7), 3 * 10 * 7 * 12),
        (nn.Upsample(scale_factor=2), 3 * 4 * PIXELS),
        (nn.Upsample(scale_factor=2, mode="bilinear"), 11 * 3 * 4 * PIXELS),
        (nn.AvgPool2d(2), 3 * PIXELS // 4),
        (nn.PReLU(), 3 * PIXELS),
        (nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.GELU(), nn.Dropout()), 0),
    ],
)
def test_each_rule_by_hand(module: nn.Module, expected: int) -> None:
    anchor = nn.Module()  # hooks look at modules that are called; this one only brings a parameter
    anchor.weight = nn.Parameter(torch.zeros(1))
    assert count_macs_thop(nn.Sequential(module, Inert(anchor)), SIZE) == expected


class Inert(nn.Module):
    def __init__(self, holder: nn.Module) -> None:
        super().__init__()
        self.holder = holder

    def forward(self, x: Tensor) -> Tensor:
        return x


class Twice(nn.Module):
    """One convolution, used twice, and matrix products that no hook sees."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.again = self.conv

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.conv(x))
        return x @ x.mT


def test_a_module_counts_for_each_call_and_not_for_each_name() -> None:
    twice = 2 * 3 * PIXELS * 3
    assert count_macs_thop(Twice(), SIZE) == twice
    assert count_macs(Twice(), SIZE) == twice + 3 * 10 * 12 * 10  # the full count sees the product


def test_a_subclass_is_free() -> None:
    class Own(nn.Conv2d):
        pass

    assert count_macs_thop(Own(3, 8, 3), SIZE) == 0
    assert count_macs(Own(3, 8, 3), SIZE) == 8 * 8 * 10 * 27


# thop 0.1.1 on the authors' code at 3 x 512 x 512, one class; TM-UNet, U-Net, ... are in test_paper.py
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unet_classic", 218_951_057_408),
        ("rolling_unet_s", 8_409_317_376),
        ("rolling_unet_m", 33_126_088_704),
        ("unext", 2_292_088_832),  # 0.573 G at 256 x 256, the paper's 0.57
        ("unext_s", 415_334_400),
    ],
)
def test_the_tool_counts_the_same(name: str, expected: int) -> None:
    assert count_macs_thop(create_model(name)) == expected


# thop 0.1.1 on these networks of ours, 3 x 256 x 256: no numbers of the authors' code
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("tmunet_t", 124_018_688, marks=pytest.mark.slow),
        ("monai_basicunet", 5_534_908_416),
        ("monai_attentionunet", 3_608_563_712),
        ("monai_segresnet", 993_656_832),
    ],
)
def test_the_tool_counts_the_same_on_our_own(name: str, expected: int) -> None:
    pytest.importorskip("monai")
    assert count_macs_thop(create_model(name), (256, 256)) == expected


def test_the_network_is_left_as_it_was() -> None:
    network = create_model("tmunet_t").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_macs_thop(network, (32, 32))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
