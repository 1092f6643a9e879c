"""MONAI's networks: the adapter adds the contract and nothing to the function; the sizes it promises are the true ones."""

import sys

import pytest
import torch
from torch import nn

from tmunet.errors import MissingExtraError
from tmunet_lab.baselines.monai_networks import SIZES, MonaiNetwork

nets = pytest.importorskip("monai.networks.nets", reason="pip install 'tmunet[monai]'")

WIDTHS = {  # MONAI's arguments with the widths written out
    "monai_basicunet": {"features": (32, 32, 64, 128, 256, 32)},
    "monai_attentionunet": {"channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2)},
    "monai_segresnet": {"init_filters": 8, "blocks_down": (1, 2, 2, 4), "blocks_up": (1, 1, 1)},
}


@torch.no_grad()
@pytest.mark.parametrize("name", SIZES)
def test_the_network_is_that_of_monai_at_the_stated_widths(name: str) -> None:
    network = MonaiNetwork(SIZES[name]).eval()
    theirs: nn.Module = getattr(nets, SIZES[name].network)(
        spatial_dims=2, in_channels=3, out_channels=1, **WIDTHS[name]
    )
    theirs.load_state_dict(network.network.state_dict())
    image = torch.rand(2, 3, 64, 48)
    assert torch.equal(network(image), theirs.eval()(image))


@torch.no_grad()
@pytest.mark.parametrize("name", SIZES)
def test_the_sizes_are_those_that_monai_takes(name: str) -> None:
    """A network inside an adapter fails where the adapter refuses; where it does not fail its output has another size."""
    network = MonaiNetwork(SIZES[name]).eval()

    def taken(side: int) -> bool:
        try:
            return network.network(torch.rand(1, 3, side, side)).shape[2:] == (side, side)
        except (RuntimeError, ValueError):
            return False

    for side in range(1, 70):
        assert network.input_size.admits(side, side) == taken(side), side


@pytest.mark.parametrize("name", SIZES)
def test_an_image_that_does_not_fit_is_an_error(name: str) -> None:
    network = MonaiNetwork(SIZES[name])
    side = network.input_size.minimum
    with pytest.raises(ValueError, match=f"but got {side - 1} x {side}; pad the image to {side} x {side}."):
        network(torch.zeros(1, 3, side - 1, side))
    with pytest.raises(ValueError, match=r"Expected an image of shape \(B, 3, H, W\), but got \(1, 4, 64, 64\)."):
        network(torch.zeros(1, 4, 64, 64))


@pytest.mark.parametrize("name", SIZES)
def test_without_monai_the_error_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == "monai"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tmunet\[monai\]'"):
        MonaiNetwork(SIZES[name])
