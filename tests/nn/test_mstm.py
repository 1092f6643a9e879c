"""The multi-scale token-memory block: Eq. 7-8 and the rows of Table 2."""

import pytest
import torch
from torch import Tensor

from tmunet.macs import count_macs, count_parameters
from tmunet.nn.gates import ForgetGate
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.mstm import MAX_LAYERS, MSTMBlock, MSTMConfig, MultiScalePooling
from tmunet.nn.tmunet import TMUNet, TMUNetConfig

from . import oracle
from .random_weights import as_arrays, randomized
from .tokens import GATES, distance

TABLE_2 = [
    MSTMConfig(xlstm=False, pooling=False, dwconv=False),
    MSTMConfig(pooling=False, dwconv=False),
    MSTMConfig(dwconv=False),
    MSTMConfig(),
]
WIDTHS = (8, 16, 32, 64, 128)  # of the tiny network
BLOCK_CHANNELS = 64 + 128 + 64 + 32  # of its blocks in E4, E5, D5 and D4 together


def of_oracle(block: MSTMBlock, x: Tensor, config: MSTMConfig) -> Tensor:
    scales = config.scales if config.pooling else ()
    weights = as_arrays(block)
    y = oracle.mstm_block(x.numpy(), weights, config.layers, config.heads, scales, config.dwconv, config.forget_gate)
    return torch.from_numpy(y)


@pytest.mark.parametrize("scales", [(5, 9, 13), (3,), (1, 7)])
@pytest.mark.parametrize("size", [(9, 6), (1, 4), (15, 14)])
def test_pooling_is_the_sum_of_window_means_less_x(size: tuple[int, int], scales: tuple[int, ...]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = torch.from_numpy(oracle.multi_scale_pooling(x.numpy(), scales))
    assert torch.allclose(MultiScalePooling(scales)(x), expected, rtol=0, atol=1e-12)


def test_pooling_sees_differences_only() -> None:
    assert torch.allclose(MultiScalePooling((5, 9, 13))(torch.full((1, 2, 20, 9), 7.0)), torch.zeros(1), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@torch.no_grad()
def test_a_network_of_another_type_is_of_that_type_throughout(dtype: torch.dtype) -> None:
    network, image = TMUNet(TMUNetConfig(widths=(8, 8, 8, 16, 16))).eval(), torch.rand(1, 3, 64, 64)
    for form in (network, optimize_for_inference(network)):
        logits = form.to(dtype)(image.to(dtype))
        assert logits.dtype == dtype
        torch.testing.assert_close(logits.float(), network.float()(image), atol=0.02, rtol=0.02)


def test_pooling_is_float32_under_autocast() -> None:
    flat = torch.randn(1, 8, 1, 1).expand(1, 8, 16, 16).contiguous()
    with torch.autocast("cpu", torch.bfloat16):
        p = MultiScalePooling((5, 9, 13))(flat.bfloat16())
    assert p.dtype == torch.float32
    assert float(p.abs().max()) < 1e-5  # in bfloat16 0.01, which LayerNorm(p) takes for a signal


@pytest.mark.parametrize("config", TABLE_2[1:], ids=["row 2", "row 3", "row 4"])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_the_block_is_the_oracle(config: MSTMConfig, forget_gate: ForgetGate, layers: int) -> None:
    config = MSTMConfig(True, config.pooling, config.dwconv, layers, (3, 5), 2, forget_gate, chunk_size=4)
    block = randomized(MSTMBlock(8, config))
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    assert distance(block(x), of_oracle(block, x, config)) < 1e-9


def test_two_layers_have_weights_of_their_own_and_learn() -> None:
    block = MSTMBlock(8, MSTMConfig(layers=2))
    block(torch.randn(2, 8, 6, 5)).square().sum().backward()
    for layer in range(2):
        gradients = [p.grad for name, p in block.named_parameters() if f".{layer}." in name[: len("dwconv.0.")]]
        assert len(gradients) == 3 + 26
        assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def tiny(config: MSTMConfig) -> TMUNet:
    return TMUNet(TMUNetConfig(widths=WIDTHS, mstm=config))


def test_row_1_of_table_2_has_no_block_and_the_others_four() -> None:
    blocks = [sum(isinstance(module, MSTMBlock) for module in tiny(row).modules()) for row in TABLE_2]
    assert blocks == [0, 4, 4, 4]


def test_rows_of_table_2_add_what_they_name_and_nothing_else() -> None:
    networks = [tiny(row) for row in TABLE_2]
    _, memory, pooling, dwconv = (count_parameters(network) for network in networks)
    assert pooling == memory  # pooling has no weights
    assert dwconv - pooling == (9 + 2) * BLOCK_CHANNELS  # a 3x3 filter and BatchNorm's scale and shift a channel
    assert not any(".dwconv." in name for name, _ in networks[1].named_parameters())
    macs = [count_macs(network, (64, 64)) for network in networks]
    assert macs[0] < macs[1] == macs[2] < macs[3]


@torch.no_grad()
def test_row_2_hands_the_map_itself_to_the_memory() -> None:
    block = randomized(MSTMBlock(8, TABLE_2[1]))
    x = torch.randn(1, 8, 4, 5, dtype=torch.float64)
    tokens = block.xlstm[0](x.flatten(2).mT)
    assert torch.allclose(block(x), block.norm(x) + x + tokens.mT.unflatten(2, (4, 5)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"xlstm": False}, "Expected `pooling` and `dwconv` to be false where `xlstm` is false"),
        ({"xlstm": False, "pooling": False}, "they feed the token memory"),
        ({"layers": 0}, "Expected `layers`, `heads` and `chunk_size` to be at least 1, but got 0, 4, None."),
        ({"heads": 0}, "to be at least 1, but got 1, 0, None."),
        ({"chunk_size": -1}, "to be at least 1, but got 1, 4, -1."),
        ({"scales": (5, 8)}, r"Expected `scales` to be odd window sides, but got \(5, 8\)."),
        ({"scales": (-1,)}, "odd window sides"),
        ({"scales": ()}, "odd window sides"),
    ],
)
def test_parts_that_do_not_fit_together_are_an_error(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSTMConfig(**fields)  # type: ignore[arg-type]


def test_the_number_of_layers_is_bounded() -> None:
    assert MSTMConfig(layers=MAX_LAYERS).layers == MAX_LAYERS
    with pytest.raises(ValueError, match="Expected `layers` to be at most 64, but got 65"):
        MSTMConfig(layers=MAX_LAYERS + 1)
