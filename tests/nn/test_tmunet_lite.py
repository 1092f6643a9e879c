"""TM-UNet Lite: token memory added with a learned scale, and the same network without it."""

import pytest
import torch

from tmunet.nn.mstm import MSTMBlock, MSTMConfig
from tmunet.nn.residual_scale import ResidualScale
from tmunet.nn.tmunet_lite import TMUNetLite

OFF = {"xlstm": False, "pooling": False, "dwconv": False}


def test_the_memory_is_added_by_its_scale() -> None:
    memory = ResidualScale(MSTMBlock(16, MSTMConfig()), 16).eval()
    x = torch.randn(2, 16, 5, 7)
    with torch.no_grad():
        torch.testing.assert_close(memory(x), 0.9 * x + 0.1 * memory.block(x))
        memory.scale.zero_()
        assert torch.equal(memory(x), x)
        memory.scale.fill_(1)
        torch.testing.assert_close(memory(x), memory.block(x))
        memory.scale.zero_()[3] = 1
        changed = (memory(x) != x).any(dim=(0, 2, 3))
    assert changed.tolist() == [channel == 3 for channel in range(16)]


def test_without_memory_the_network_is_the_same_but_for_the_memory() -> None:
    full, plain = TMUNetLite(residual_scale=0.0).eval(), TMUNetLite(mstm=OFF).eval()
    weights = full.state_dict()
    assert not any(isinstance(module, MSTMBlock) for module in plain.modules())
    assert plain.state_dict().keys() < weights.keys()
    plain.load_state_dict({name: weights[name] for name in plain.state_dict()})
    image = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        assert torch.equal(full(image), plain(image))


def test_settings_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="multiples of 3 heads"):
        TMUNetLite(heads=3)
    with pytest.raises(ValueError, match="`encoder`"):
        TMUNetLite(encoder="resnet50")
    assert TMUNetLite(mstm=OFF, widths=(8, 8, 8, 9, 9)).config.widths[4] == 9
