"""On a device other than the CPU a network stays there: what a CUDA graph can record, and what no kernel has to wait for."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tmunet.errors import MissingExtraError
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.xlstm import BidirectionalXLSTM
from tmunet.registry import create_model

from ..contract.test_networks import names

READS = ("_local_scalar_dense", "nonzero")  # the CPU waits for a value, or for a shape that depends on values


class Strays(TorchDispatchMode):
    """Notes every operation that reads a value, or has a tensor that is not on "meta", the device of shapes without values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        devices = {x.device.type for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)}
        if devices - {"meta"} or any(read in str(operation) for read in READS):
            self.found.append(f"{operation} on {sorted(devices)}")
        return result


def strays(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which "meta" does not have
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    form = optimize_for_inference(network).to("meta")
    with torch.inference_mode(), Strays() as seen:
        form(torch.empty(1, 3, 256, 256, device="meta"))
    return seen.found


@pytest.mark.parametrize("name", names(narrow=False))
def test_a_network_makes_no_tensor_on_the_cpu_and_reads_no_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        network = create_model(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert strays(network, monkeypatch) == []


def test_nor_does_a_layer_that_has_no_form_for_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = create_model("tmunet_t", heads=16)  # heads of two channels, which are not whole blocks
    assert any(isinstance(layer, BidirectionalXLSTM) for layer in optimize_for_inference(narrow).modules())
    assert strays(narrow, monkeypatch) == []


class Stray(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.arange(2.0)[1]


def test_one_that_does_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any("arange" in stray for stray in strays(Stray(), monkeypatch))
