"""Networks with options, as they are written on the command line."""

import pytest
import torch

from tmunet.errors import UsageError
from tmunet.macs import count_parameters
from tmunet.nn.tmunet import TMUNet
from tmunet_lab.bench.model_spec import ModelSpec, parse_model_spec, parse_model_specs

from ...coded_errors import coded


def test_a_name_alone() -> None:
    assert parse_model_spec("unet") == ModelSpec("unet", {}, "unet")


def test_options_reach_the_network() -> None:
    network = parse_model_spec("tmunet_t:mstm.pooling=false,mstm.scales=[3, 5],refine=full,widths=[4,4,8,8,8]").create()
    assert isinstance(network, TMUNet)
    assert network.config.mstm.pooling is False
    assert network.config.mstm.scales == (3, 5)
    assert network.config.refine == "full"
    assert network.config.widths == (4, 4, 8, 8, 8)
    assert not network.training


def test_the_ablation_is_four_networks() -> None:
    off = ["mstm.xlstm=false", "mstm.pooling=false", "mstm.dwconv=false"]
    labels = [f"tmunet_t:{','.join(off)}", f"tmunet_t:{','.join(off[1:])}", f"tmunet_t:{off[2]}", "tmunet_t"]
    none, xlstm, pooled, full = [count_parameters(spec.create()) for spec in parse_model_specs(labels)]
    assert none < xlstm == pooled < full  # pooling has no parameters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unet:", "but got ''"),
        ("unet:widths", "but got 'widths'"),
        ("unet:=3", "but got '=3'"),
        ("tmunet_t:refine=full,refine=full", "each argument once, but got 'refine=full'"),
        ("unet:widths=[1", r"Expected a value as in YAML for 'widths', but got '\[1'"),
    ],
)
def test_a_fault_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_model_spec(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unett", "There is no network 'unett'. Did you mean 'unet'"),
        ("tmunet_t:mstm.pool=false", "model_args of tmunet_t: There is no setting"),
        ("tmunet_t:mstm.xlstm=false", "Expected `pooling` and `dwconv` to be false"),
    ],
)
def test_a_network_that_cannot_be_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_model_spec(text).create()


def test_each_network_once() -> None:
    with pytest.raises(UsageError, check=coded("repeated")):
        parse_model_specs(["unet", "ulite", "unet"])


def test_an_engine_stands_behind_the_options() -> None:
    spec = parse_model_spec("tmunet_b:mstm.layers=2@openvino")
    assert (spec.name, spec.model_args, spec.backend) == ("tmunet_b", {"mstm.layers": 2}, "openvino")
    assert spec.label == "tmunet_b:mstm.layers=2@openvino"
    with pytest.raises(
        UsageError, match="Expected @torch, @compile, @cudagraph, @onnx, @openvino or nothing, but got @tensorrt"
    ):
        parse_model_spec("tmunet_b@tensorrt")


def test_a_spec_has_the_same_weights_each_time_whatever_runs_it() -> None:
    first, second = (parse_model_spec(label).create().state_dict() for label in ("tmunet_t", "tmunet_t@onnx"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
