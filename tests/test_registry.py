"""The networks by name."""

from typing import Any

import pytest
import torch

from tmunet import create_model, list_models
from tmunet.errors import UsageError


def test_networks_are_made_by_name() -> None:
    assert {"tmunet_t", "tmunet_s", "tmunet_b"} <= set(list_models())
    dotted, nested = (create_model("tmunet_t", 1, 4, o) for o in ({"mstm.layers": 2}, {"mstm": {"layers": 2}}))
    assert dotted.state_dict().keys() == nested.state_dict().keys()
    assert dotted.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 4, 32, 32)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tmunet", {}, "There is no network 'tmunet'. Did you mean 'tmunet_"),
        ("tmunet_t", {"refin": "full"}, "options of tmunet_t: There is no setting 'refin'. Did you mean 'refine'?"),
        ("tmunet_t", {"mstm.heads": 0}, "options of tmunet_t: Expected `layers`, `heads`"),
        ("tmunet_t", {"mstm.heads": 3}, "options of tmunet_t: Expected `dim` to be a multiple of 3 heads"),
        ("tmunet_t", {"mstm.layers": 10**6}, "options of tmunet_t: Expected `layers` to be at most 64"),
    ],
)
def test_a_network_that_does_not_exist_is_an_error(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        create_model(name, options=options)
