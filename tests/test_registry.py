"""Networks by name."""

from typing import Any

import pytest
import torch

from tmunet import create_model, list_models
from tmunet.errors import UsageError
from tmunet.model_config import ModelConfig


def test_networks_are_listed_by_pattern() -> None:
    assert {"tmunet_t", "tmunet_s", "tmunet_b", "unet"} <= set(list_models())
    assert list_models("tmunet_?") == ("tmunet_t", "tmunet_s", "tmunet_b")
    assert list_models("nothing*") == ()


def test_settings_of_a_part_are_nested_dotted_or_plain() -> None:
    given: tuple[dict[str, Any], ...] = ({"mstm.layers": 2}, {"mstm": {"layers": 2}}, {"layers": 2})
    networks = [create_model("tmunet_t", 1, 4, **model_args) for model_args in given]
    first, *others = (network.state_dict().keys() for network in networks)
    assert all(names == first for names in others)
    assert first > create_model("tmunet_t").state_dict().keys()
    assert networks[0].eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 4, 32, 32)


@pytest.mark.parametrize(
    ("name", "model_args", "code", "message"),
    [
        ("tmunet", {}, "network", "'tmunet_"),
        (
            "tmunet_t",
            {"refin": "full"},
            "key",
            "model_args of tmunet_t: There is no setting 'refin'. Did you mean 'refine'?",
        ),
        ("tmunet_t", {"mstm.heads": 0}, "value", "`heads`"),
        ("tmunet_t", {"heads": 3}, "value", "multiples of 3 heads"),
        ("tmunet_t", {"widths": [8, 16, 32, 64]}, "type", "`widths` to be a list of 5 values"),
        ("tmunet_t", {"widths": [8, 16, 32, 64, -4]}, "value", "`widths`"),
        ("tmunet_released_t", {"widths": [8, 16, 0, 64, 128]}, "value", "`widths`"),
        ("unet", {"widths": [8, 16, 32, 0, 64]}, "value", "`widths`"),
        ("rolling_unet_s", {"width": 0}, "value", "`width`"),
        ("tmunet_t", {"mstm.layers": 10**6}, "value", "`layers` to be at most 64"),
    ],
)
def test_a_network_that_does_not_exist_is_an_error(
    name: str, model_args: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        create_model(name, **model_args)
    assert (caught.value.code, message in str(caught.value)) == (code, True), caught.value


@pytest.mark.parametrize(("in_channels", "num_classes"), [(0, 1), (3, 0)])
def test_a_network_has_channels_and_classes(in_channels: int, num_classes: int) -> None:
    with pytest.raises(UsageError) as caught:
        create_model("unet", in_channels, num_classes)
    assert caught.value.code == "value"


@pytest.mark.parametrize("name", ["in_channels", "num_classes", "name"])
def test_a_model_file_does_not_set_what_data_and_classes_say(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        ModelConfig("tmunet_t", {name: 2}).create_network()
