"""The networks by name."""

from typing import Any

import pytest
import torch

from tmunet import create_model, list_models
from tmunet.errors import UsageError


def test_networks_are_made_by_name() -> None:
    assert {"tmunet_t", "tmunet_s", "tmunet_b"} <= set(list_models())
    dotted, nested = (create_model("tmunet_t", 1, 4, **o) for o in ({"mstm.layers": 2}, {"mstm": {"layers": 2}}))
    assert dotted.state_dict().keys() == nested.state_dict().keys()
    assert dotted.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 4, 32, 32)


@pytest.mark.parametrize(
    ("name", "model_args", "message"),
    [
        ("tmunet", {}, "There is no network 'tmunet'. Did you mean 'tmunet_"),
        ("tmunet_t", {"refin": "full"}, "model_args of tmunet_t: There is no setting 'refin'. Did you mean 'refine'?"),
        ("tmunet_t", {"mstm.heads": 0}, "model_args of tmunet_t: Expected `layers`, `heads`"),
        (
            "tmunet_t",
            {"mstm.heads": 3},
            "model_args of tmunet_t: Expected the last three `widths` to be multiples of 3 heads",
        ),
        ("tmunet_t", {"widths": [8, 16, 32, 64]}, "Expected `widths` to be a list of 5 values, but got"),
        (
            "tmunet_t",
            {"widths": [8, 16, 32, 64, -4]},
            "model_args of tmunet_t: Expected `widths` to be at least 1, but got",
        ),
        (
            "tmunet_released_t",
            {"widths": [8, 16, 0, 64, 128]},
            "Expected `widths` of at least 2, the last three multiples",
        ),
        ("unet", {"widths": [8, 16, 32, 0, 64]}, "model_args of unet: Expected `widths` to be at least 1, but got"),
        ("rolling_unet_s", {"width": 0}, "model_args of rolling_unet_s: Expected `width` of at least 1"),
        ("tmunet_t", {"mstm.layers": 10**6}, "model_args of tmunet_t: Expected `layers` to be at most 64"),
    ],
)
def test_a_network_that_does_not_exist_is_an_error(name: str, model_args: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        create_model(name, **model_args)


@pytest.mark.parametrize(("in_channels", "num_classes"), [(0, 1), (3, 0)])
def test_a_network_has_channels_and_classes(in_channels: int, num_classes: int) -> None:
    with pytest.raises(UsageError, match=f"at least 1 channel and 1 class, but got {in_channels} and {num_classes}"):
        create_model("unet", in_channels, num_classes)
