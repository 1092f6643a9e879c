"""TM-UNet as released: the shapes, stages and logits of the released program, its layer in steps, and what it costs."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tmunet.macs import count_macs
from tmunet_lab.baselines.tmunet_released import (
    SIZES,
    ReleasedMSTMBlock,
    TMUNetReleased,
    TMUNetReleasedConfig,
    VisionLSTMLayer,
    mlstm_quadratic,
)

from .recipes import Fingerprint, assert_fingerprint, assert_same, assert_taps, fill_b, picture, sequence, shape_digest

OFFSETS = ("norm_gain_offset",)
DIGESTS = {
    "tmunet_released_t": "b2c95978dd30a76b",
    "tmunet_released_s": "b276c826c538cebc",
    "tmunet_released_b": "a3c394155fcf82c0",
}
IDLE = {"tmunet_released_t": 3_456, "tmunet_released_s": 6_912, "tmunet_released_b": 13_824}
QUADRATIC_MACS = {  # of one 512 x 512 image, in the mLSTM alone
    "tmunet_released_t": 2_717_908_992,
    "tmunet_released_s": 5_435_817_984,
    "tmunet_released_b": 10_871_635_968,
}
FINGERPRINTS = {  # (network, side of the image); recipe B
    ("tmunet_released_t", 64): Fingerprint(
        (-1.8123304e00, 9.7221028e-01, -3.6976526e00, 3.1918874e00),
        (-2.0018897e00, -2.9864678e00, -2.3356109e00, -2.4489468e00, 1.1961589e00),
    ),
    ("tmunet_released_t", 128): Fingerprint(
        (-2.9889350e-01, 1.4564042e00, -3.6453720e00, 3.9599090e00),
        (-3.0560884e00, -2.8106074e00, 1.4211125e00, 7.1956514e-01, 4.9704079e-01),
    ),
    ("tmunet_released_s", 64): Fingerprint(
        (-3.4150221e-01, 6.9100073e-01, -2.9637730e00, 2.5558385e00),
        (5.0758267e-01, -5.1077086e-01, -9.1590100e-01, -4.8119106e-01, 1.8850869e-01),
    ),
    ("tmunet_released_s", 128): Fingerprint(
        (3.1259096e-01, 1.6904708e00, -5.3853026e00, 4.0395991e00),
        (-5.5655998e-01, -1.8646893e00, 3.5183510e00, 2.8199810e00, 2.5460339e00),
    ),
    ("tmunet_released_b", 64): Fingerprint(
        (-3.9449101e00, 9.7206769e-01, -6.8905973e00, -3.1174259e-01),
        (-4.3988366e00, -5.1198345e00, -5.7557338e00, -3.3117081e00, -4.0218205e00),
    ),
    ("tmunet_released_b", 128): Fingerprint(
        (-3.6904735e00, 9.3694129e-01, -6.1209994e00, -4.3859979e-01),
        (-3.3925117e00, -3.9690966e00, -4.0738810e00, -4.4602766e00, -4.0367312e00),
    ),
}
TAPS = {  # recipe B, 128 pixels: the stage, then mean and std of B, S and T
    "encoder1.1": ((-3.6560835e-03, 9.7078572e-01), (2.7408479e-02, 1.1131607e00), (-2.0172284e-02, 1.0281573e00)),
    "encoder2.1": ((-2.1541664e-02, 1.0027883e00), (5.7081483e-02, 1.2781621e00), (1.4221288e-02, 1.1075312e00)),
    "encoder3.1": ((-6.7360763e-02, 1.2507658e00), (-1.9023420e-01, 1.4771108e00), (-9.1807804e-02, 1.4650168e00)),
    "encoder4.0": ((-4.4939504e-03, 1.0042351e00), (-1.8765108e-02, 9.9678497e-01), (9.1929181e-03, 1.0007164e00)),
    "encoder4.1.block.pool_norm": (
        (-3.6930069e-03, 1.0471383e00),
        (-1.9871729e-02, 1.0443359e00),
        (1.4789335e-02, 1.0376246e00),
    ),
    "encoder4.1.block.forward_layer": (
        (7.6817009e-02, 3.9299873e00),
        (-6.8174120e-01, 3.3962667e00),
        (-1.7176123e-01, 1.5606587e00),
    ),
    "encoder4.1.block.forward_refine": (
        (1.5856602e00, 3.0429994e00),
        (1.4986516e00, 2.9261337e00),
        (6.9141787e-01, 1.0447607e00),
    ),
    "encoder4.1.block.backward_layer": (
        (-3.6697624e-01, 1.7434438e01),
        (-1.1981484e00, 2.2374721e01),
        (1.3257544e-01, 2.4844454e00),
    ),
    "encoder4.1.block": ((7.3534665e00, 1.3953843e01), (9.5727090e00, 1.8177440e01), (1.2627006e00, 2.6917961e00)),
    "encoder4": ((1.4132429e-02, 1.0764604e00), (1.3334823e-02, 1.0476423e00), (-3.7907019e-03, 1.0333319e00)),
    "encoder5.0": ((3.7471243e-03, 1.0051832e00), (-7.5343837e-03, 1.0123783e00), (2.7826059e-03, 9.9891590e-01)),
    "encoder5.1.block": ((2.5193248e00, 4.5534138e00), (2.0132772e00, 3.9496616e00), (3.0570612e00, 5.3398344e00)),
    "encoder5": ((3.9501032e-03, 1.0506329e00), (1.1160817e-02, 1.0635761e00), (3.4745096e-03, 1.0298731e00)),
    "decoder1": ((5.4260534e-02, 1.1337139e00), (6.6091048e-02, 1.1153633e00), (-7.4777009e-03, 1.1357019e00)),
    "memory1.block": ((4.7377178e00, 7.3720592e00), (4.2350731e00, 6.5862591e00), (2.5277644e00, 4.1102784e00)),
    "memory1": ((9.2090268e-03, 1.0506599e00), (5.4754002e-03, 1.0391137e00), (1.5513367e-02, 1.0643979e00)),
    "decoder2": ((4.8504608e-03, 1.2657984e00), (9.7788957e-02, 1.2231128e00), (1.5227487e-01, 1.3022073e00)),
    "memory2.block": ((6.6858901e00, 9.9128295e00), (4.0422238e00, 4.8051741e00), (6.7423620e00, 1.1601851e01)),
    "memory2": ((8.2841368e-03, 1.0296217e00), (-2.6793368e-03, 1.0336026e00), (1.7324494e-02, 1.1223649e00)),
    "decoder3": ((-2.4728378e-02, 1.3131303e00), (2.9341228e-01, 1.3216741e00), (-9.6957210e-02, 1.4542050e00)),
    "decoder4": ((-3.2844819e-01, 1.9601731e00), (2.7362342e-01, 2.1789433e00), (-5.6774044e-01, 1.8603907e00)),
    "decoder5": ((-2.8688188e-01, 2.2175714e00), (6.6728603e-01, 3.4011381e00), (1.7522919e-01, 1.6283595e00)),
}
ORDER = ("tmunet_released_b", "tmunet_released_s", "tmunet_released_t")


def assert_values(y: Tensor, expected: tuple[float, ...], *places: tuple[int, ...]) -> None:
    """Mean, std and single values of an output."""
    found = [float(y.mean()), float(y.std(correction=0)), *(float(y[place]) for place in places)]
    assert_same(found, expected, float(y.abs().max()))


@pytest.mark.parametrize("name", SIZES)
def test_parameters_have_the_shapes_of_the_released_network(name: str) -> None:
    with torch.device("meta"):
        network = TMUNetReleased(SIZES[name])
    assert shape_digest(network) == DIGESTS[name]
    idle = sum(parameter.numel() for path, parameter in network.named_parameters() if ".idle_refine." in path)
    assert idle == IDLE[name]


@torch.no_grad()
@pytest.mark.parametrize(("name", "side"), FINGERPRINTS)
def test_logits_are_those_of_the_released_network(name: str, side: int) -> None:
    network = fill_b(TMUNetReleased(SIZES[name]), offsets=OFFSETS)
    assert_fingerprint(network(picture(side)), FINGERPRINTS[name, side])


@pytest.mark.parametrize("name", ORDER)
def test_stages_are_those_of_the_released_network(name: str) -> None:
    network = fill_b(TMUNetReleased(SIZES[name]), offsets=OFFSETS)
    assert_taps(network, {path: values[ORDER.index(name)] for path, values in TAPS.items()}, picture(128))


@pytest.mark.parametrize("name", SIZES)
def test_most_macs_at_512_pixels_are_those_of_pairs_of_tokens(name: str) -> None:
    C3, C4, C5 = SIZES[name].widths[2:]
    tokens = [(1024, C4), (256, C5), (1024, C4), (4096, C3)]  # of the four token memories
    assert sum(2 * 2 * S * S * d for S, d in tokens) == QUADRATIC_MACS[name]  # directions, products, pairs, channels


def test_macs_are_those_of_the_released_network() -> None:
    assert count_macs(TMUNetReleased(SIZES["tmunet_released_t"])) == 470_358_784 + 2_717_908_992


@torch.no_grad()
@pytest.mark.parametrize(
    ("backward", "expected"),
    [
        (False, (-2.7150645e-01, 1.0697902e00, 2.5429376e-01, -1.3262890e00, -9.3242898e-02)),
        (True, (-6.5912008e-01, 1.2065563e00, -3.0133276e00, -1.3345295e00, -6.3857473e-01)),
    ],
)
def test_a_layer_alone_is_that_of_the_released_network(backward: bool, expected: tuple[float, ...]) -> None:
    layer = fill_b(VisionLSTMLayer(8, backward), offsets=OFFSETS)
    assert_values(layer(sequence(40, 50).reshape(1, 5, 8)), expected, (0, 0, 0), (0, 2, 3), (0, 4, 7))


@torch.no_grad()
def test_a_block_alone_is_that_of_the_released_network() -> None:
    block = fill_b(ReleasedMSTMBlock(8), offsets=OFFSETS)
    y = block(sequence(192, 50).reshape(2, 12, 8), 3, 4)
    expected = (7.6976516e00, 1.2515089e01, -2.9381444e00, -2.9092253e00, 4.2750266e00)
    assert_values(y, expected, (0, 0, 0), (1, 2, 3), (1, 11, 7))


def test_pooling_averages_over_token_numbers_and_channels() -> None:
    n = sequence(48).reshape(1, 6, 8)
    p = sum(pool(n[:, None])[:, 0] - n for pool in ReleasedMSTMBlock(8).pools)
    assert isinstance(p, Tensor)
    expected = (4.3579128e-02, 1.7428459e00, 1.8902967e00, -1.0316022e00, 5.0866013e-01)
    assert_values(p, expected, (0, 0, 0), (0, 2, 3), (0, 5, 7))


def test_the_memory_alone_is_that_of_the_released_network() -> None:
    q, k, v = (sequence(84, start).reshape(1, 4, 7, 3) for start in (0, 1000, 2000))
    i, f = 2 * sequence(28, 3000).reshape(1, 4, 7), 3 * sequence(28, 4000).reshape(1, 4, 7)
    h = mlstm_quadratic(q, k, v, i, f)
    expected = (5.6836067e-02, 4.4301177e-01, 2.7189500e-01, -2.6838957e-01, 3.2716858e-01)
    assert_values(h, expected, (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 2))
    assert_same(
        h[0, [1, 3], [4, 6]].flatten().tolist(),
        (4.0966681e-01, 1.0648274e-01, -4.1010044e-01, -5.2477782e-01, 7.9810839e-02, 3.4523783e-01),
        1.0,
    )


def step_by_step(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    """The recurrence of one head: q, k, v (S, D), i, f (S,)."""
    S, D = q.shape
    memory, normalizer, m = q.new_zeros(D, D), q.new_zeros(D), -math.inf
    rows = []
    for t in range(S):
        log_f, previous = float(F.logsigmoid(f[t])), m
        m = max(log_f + m, float(i[t]))
        keep, add = math.exp(log_f + previous - m), math.exp(float(i[t]) - m)
        memory = keep * memory + add * torch.outer(k[t] / math.sqrt(D), v[t])
        normalizer = keep * normalizer + add * k[t] / math.sqrt(D)
        rows.append(q[t] @ memory / (max(abs(float(q[t] @ normalizer)), math.exp(-m)) + 1e-6))
    return torch.stack(rows)


@given(S=st.integers(1, 30), D=st.integers(1, 8), seed=st.integers(0, 999))
def test_the_quadratic_form_is_the_recurrence(S: int, D: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 2, 3, S, D, generator=draw, dtype=torch.float64)
    i, f = 3 * torch.randn(2, 2, 3, S, generator=draw, dtype=torch.float64)
    expected = [[step_by_step(*(x[b, n] for x in (q, k, v, i, f))) for n in range(3)] for b in range(2)]
    expected_h = torch.stack([torch.stack(row) for row in expected])
    h = mlstm_quadratic(q, k, v, i, f)
    assert (h - expected_h).abs().max() <= 1e-10 * expected_h.abs().max()


@torch.no_grad()
def test_a_layer_reads_no_later_token_and_its_mirror_no_earlier_one() -> None:
    x = torch.randn(1, 9, 8, dtype=torch.float64)
    changed = x.clone()
    changed[:, 4] += 1
    for backward, untouched in ((False, slice(0, 4)), (True, slice(5, 9))):
        layer = fill_b(VisionLSTMLayer(8, backward), offsets=OFFSETS)
        difference = (layer(changed) - layer(x)).abs().amax((0, 2))
        assert not difference[untouched].any()
        assert difference[4] > 0
        assert (difference > 0).sum() == 5


@torch.no_grad()
def test_gates_start_as_the_released_program_leaves_them() -> None:
    layer = VisionLSTMLayer(256, backward=False)
    assert float(layer.forget_gate.weight.std()) == pytest.approx(0.02, rel=0.05)
    assert not layer.forget_gate.bias.any()
    assert not layer.input_gate.bias.any()
    assert float(layer.query.std()) == pytest.approx((2 / (5 * 256)) ** 0.5, rel=0.1)
    assert layer.skip.eq(1).all()
    assert not layer.norm_gain_offset.any()


def test_sizes_and_widths_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="divisible by 32, but got 64 x 70; pad the image to 64 x 96"):
        TMUNetReleased(SIZES["tmunet_released_t"])(torch.zeros(1, 3, 64, 70))
    with pytest.raises(ValueError, match="Expected `widths` of at least 2, the last three multiples of 4, but got"):
        TMUNetReleasedConfig(widths=(8, 16, 30, 64, 128))
