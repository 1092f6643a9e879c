"""The EfficientNet-Lite encoder against its published sizes."""

import pytest
import torch

from tmunet.nn.encoders.efficientnet_lite import EfficientNetLite, MBConv, StridedConv2d


@pytest.mark.parametrize(
    ("name", "blocks", "channels", "parameters"),
    [  # parameters of the whole classifiers as published (4.7, 5.4 and 6.1 million), without head and classifier
        ("efficientnet_lite0", 16, (16, 24, 40, 112, 320), 4_652_008),
        ("efficientnet_lite1", 21, (16, 24, 40, 112, 320), 5_416_680),
        ("efficientnet_lite2", 21, (16, 24, 48, 120, 352), 6_092_072),
    ],
)
def test_sizes_are_the_published_ones(name: str, blocks: int, channels: tuple[int, ...], parameters: int) -> None:
    encoder = EfficientNetLite(name)
    assert sum(isinstance(module, MBConv) for module in encoder.modules()) == blocks
    assert encoder.channels == channels
    classifier = channels[-1] * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in encoder.parameters()) + classifier == parameters


@pytest.mark.parametrize("side", [(32, 32), (33, 61), (34, 95)])
def test_maps_have_half_the_size_of_the_one_before_rounded_up(side: tuple[int, int]) -> None:
    H, W = side
    for x in EfficientNetLite(in_channels=2).eval()(torch.rand(1, 2, H, W)):
        H, W = -(-H // 2), -(-W // 2)
        assert x.shape[2:] == (H, W)


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_strided_convolution_pads_an_even_map_as_tensorflow_does(kernel: int) -> None:
    conv = StridedConv2d(2, 3, kernel)
    x = torch.rand(1, 2, 10, 8)
    total = kernel - 2  # (H / 2 - 1) 2 + kernel - H, of which half, rounded down, comes before
    padded = torch.nn.functional.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2))
    torch.testing.assert_close(conv(x), torch.nn.functional.conv2d(padded, conv.weight, stride=2))


def test_an_encoder_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="efficientnet_lite0"):
        EfficientNetLite("efficientnet_b0")
