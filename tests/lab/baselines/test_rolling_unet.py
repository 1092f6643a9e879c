"""Rolling-UNet: the shapes, stages and logits of the authors' code, and channels that go round the map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tmunet_lab.baselines.rolling_unet import SIZES, Lo2Block, RollingUNet, roll

from .recipes import (
    Fingerprint,
    assert_fingerprint,
    assert_same,
    assert_taps,
    fill_a,
    fill_b,
    picture,
    sequence,
    shape_digest,
)

DIGESTS = {
    "rolling_unet_s": "72388e12131961bc",
    "rolling_unet_m": "9dad989ba90f6b65",
    "rolling_unet_l": "ab2a2b4a8112b139",
}
FINGERPRINTS = {  # (network, recipe)
    ("rolling_unet_s", "A"): Fingerprint(
        (1.2928891e-02, 3.2107735e-04, 1.2090906e-02, 1.3804543e-02),
        (1.3320926e-02, 1.3068383e-02, 1.3317821e-02, 1.2453564e-02, 1.3023415e-02),
    ),
    ("rolling_unet_s", "B"): Fingerprint(
        (-1.1660338e00, 5.4766589e-01, -2.7152048e00, 4.4007368e-01),
        (-1.7402587e00, -1.6807798e00, -1.8873732e00, -6.7573757e-01, -9.0768013e-02),
    ),
    ("rolling_unet_m", "A"): Fingerprint(
        (1.0806494e-02, 3.5417869e-03, 3.9207173e-03, 1.8214729e-02),
        (1.2698340e-02, 9.4682550e-03, 1.2760146e-02, 5.4202829e-03, 8.7699891e-03),
    ),
    ("rolling_unet_m", "B"): Fingerprint(
        (-1.6973359e00, 5.0138167e-01, -3.3965038e00, -3.3709723e-01),
        (-1.6590177e00, -2.8252086e00, -1.6541738e00, -1.2214374e00, -3.3709723e-01),
    ),
    ("rolling_unet_l", "A"): Fingerprint(
        (1.1408680e-02, 1.6548015e-03, 8.1436525e-03, 1.4613333e-02),
        (9.4017898e-03, 1.3404274e-02, 9.4760433e-03, 1.0085370e-02, 1.2647145e-02),
    ),
    ("rolling_unet_l", "B"): Fingerprint(
        (-4.8901189e-01, 3.0299465e-01, -1.3608762e00, 1.1069496e-01),
        (-3.9074164e-01, -6.5434196e-01, -1.0627902e-01, -2.0203611e-01, -4.7016120e-01),
    ),
}
TAPS = {
    "rolling_unet_s": {
        "encoder1": (3.2836044e-01, 4.3425219e-01),  # t1
        "encoder2": (3.6317335e-01, 4.9194551e-01),  # t2
        "encoder3": (3.2313652e-01, 3.9148018e-01),  # t3
        "encoder4.0": (-8.9528374e-03, 9.8550225e-01),  # FI(e2->e3)
        "encoder4.1": (-9.2526864e-03, 2.2571671e00),  # Lo2 at /8, encoder
        "encoder4": (-1.7722587e-02, 9.9949245e-01),  # t4
        "bottleneck.0": (-9.6654061e-03, 9.8662226e-01),  # FI(e3->e4)
        "bottleneck.1": (-1.6925755e-01, 1.9716534e00),  # Lo2 bottleneck
        "bottleneck": (-1.7421688e-02, 1.0062309e00),  # LN after it
        "shrink": (1.5163529e-03, 1.0116098e00),  # FI(e4->e3)
        "decoder4.0": (9.8720523e-02, 2.7004447e00),  # Lo2 decoder
        "decoder4.1": (-1.6885967e-02, 1.0148432e00),  # LN after it
        "decoder4.2.1": (-1.9336903e-03, 1.0738202e00),  # BN after the e3->e2 conv (before ReLU)
        "decoder3": (1.8605296e-01, 3.9657408e-01),  # dec3 block
        "decoder2": (5.0353176e-01, 6.8412197e-01),  # dec2 block
        "decoder1": (6.1889761e-01, 1.0395116e00),  # dec1 block
    },
    "rolling_unet_m": {
        "encoder1": (3.2735411e-01, 5.3049731e-01),  # t1
        "encoder2": (4.5171021e-01, 5.9663642e-01),  # t2
        "encoder3": (2.9804377e-01, 4.4450305e-01),  # t3
        "encoder4.0": (-9.5541739e-03, 9.7825140e-01),  # FI(e2->e3)
        "encoder4.1": (-1.2811928e-01, 2.0555953e00),  # Lo2 at /8, encoder
        "encoder4": (-1.3885596e-02, 1.0076620e00),  # t4
        "bottleneck.0": (-1.4242466e-02, 9.8095099e-01),  # FI(e3->e4)
        "bottleneck.1": (9.8846618e-03, 2.0419184e00),  # Lo2 bottleneck
        "bottleneck": (2.7896610e-03, 9.9744829e-01),  # LN after it
        "shrink": (-1.7530336e-03, 1.0095726e00),  # FI(e4->e3)
        "decoder4.0": (-2.6328738e-01, 2.5654366e00),  # Lo2 decoder
        "decoder4.1": (-2.2386848e-03, 1.0025443e00),  # LN after it
        "decoder4.2.1": (-7.2549215e-02, 1.1097536e00),  # BN after the e3->e2 conv (before ReLU)
        "decoder3": (4.0344393e-01, 6.2967964e-01),  # dec3 block
        "decoder2": (1.3177000e-01, 3.6732267e-01),  # dec2 block
        "decoder1": (3.4958526e-01, 3.9663751e-01),  # dec1 block
    },
    "rolling_unet_l": {
        "encoder1": (3.0149178e-01, 4.5477663e-01),  # t1
        "encoder2": (2.7464948e-01, 4.2189520e-01),  # t2
        "encoder3": (2.7158808e-01, 4.2039306e-01),  # t3
        "encoder4.0": (-5.9611991e-03, 9.9288697e-01),  # FI(e2->e3)
        "encoder4.1": (-5.1805170e-02, 1.9727985e00),  # Lo2 at /8, encoder
        "encoder4": (-1.9416571e-03, 1.0038353e00),  # t4
        "bottleneck.0": (-1.9687565e-03, 1.0042048e00),  # FI(e3->e4)
        "bottleneck.1": (-1.0776420e-01, 2.1258876e00),  # Lo2 bottleneck
        "bottleneck": (-3.4157683e-03, 1.0152532e00),  # LN after it
        "shrink": (-6.0197201e-03, 9.9655096e-01),  # FI(e4->e3)
        "decoder4.0": (-1.2865891e-01, 2.5451246e00),  # Lo2 decoder
        "decoder4.1": (3.1031997e-03, 1.0014586e00),  # LN after it
        "decoder4.2.1": (-3.1470985e-02, 1.1825045e00),  # BN after the e3->e2 conv (before ReLU)
        "decoder3": (4.1297602e-01, 6.2766545e-01),  # dec3 block
        "decoder2": (3.7363317e-01, 6.1882603e-01),  # dec2 block
        "decoder1": (2.0192693e-01, 3.8734879e-01),  # dec1 block
    },
}


@pytest.mark.parametrize("name", SIZES)
def test_parameters_have_the_shapes_of_the_original(name: str) -> None:
    assert shape_digest(RollingUNet(SIZES[name])) == DIGESTS[name]


@pytest.mark.slow  # recipe B compares every stage
@torch.no_grad()
@pytest.mark.parametrize("name", SIZES)
def test_logits_of_recipe_a_are_those_of_the_original(name: str) -> None:
    logits = fill_a(RollingUNet(SIZES[name]))(picture())
    assert_fingerprint(logits, FINGERPRINTS[name, "A"])


@pytest.mark.parametrize("name", SIZES)
def test_stages_and_logits_of_recipe_b_are_those_of_the_original(name: str) -> None:
    logits = assert_taps(fill_b(RollingUNet(SIZES[name])), TAPS[name], picture())
    assert_fingerprint(logits, FINGERPRINTS[name, "B"])


@torch.no_grad()
def test_a_block_alone_is_that_of_the_original() -> None:
    x = sequence(96, 10).reshape(2, 3, 4, 4).permute(0, 3, 1, 2)  # twelve tokens of four channels
    y = fill_b(Lo2Block(4))(x).permute(0, 2, 3, 1).reshape(2, 12, 4)
    found = (y.mean(), y.std(correction=0), y[0, 0, 0], y[1, 5, 2], y[1, 11, 3])
    expected = (-8.8696155e-02, 1.7090430e00, 2.8809195e-02, 1.4629868e00, 1.9118096e00)
    assert_same([float(value) for value in found], expected, float(y.abs().max()))


@given(H=st.integers(1, 6), W=st.integers(1, 6), C=st.integers(1, 9), dim=st.sampled_from([1, 2]))
def test_rolling_shifts_each_channel_by_its_number_and_back(H: int, W: int, C: int, dim: int) -> None:
    x = torch.arange(2 * H * W * C).reshape(2, H, W, C)
    rolled = roll(x, dim)
    for c in range(C):
        assert torch.equal(rolled[..., c], torch.roll(x[..., c], c, dim))
    assert torch.equal(roll(rolled, dim, backwards=True), x)


@pytest.mark.parametrize(("name", "rate"), [("rolling_unet_s", 0.1), ("rolling_unet_m", 0.2), ("rolling_unet_l", 0.3)])
def test_dropout_is_inside_the_coarsest_block_alone(name: str, rate: float) -> None:
    with torch.device("meta"):
        network = RollingUNet(SIZES[name])
    assert {path: drop.p for path, drop in network.named_modules() if isinstance(drop, nn.Dropout)} == {
        "encoder4.1.dropout": 0,
        "bottleneck.1.dropout": rate,
        "decoder4.0.dropout": 0,
    }


@torch.no_grad()
def test_weights_are_drawn_as_the_authors_draw_them() -> None:
    block = Lo2Block(256)
    assert float(block.fc5.weight.std()) == pytest.approx(0.02, rel=0.02)
    assert float(block.pointwise.weight.std()) == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert float(block.depthwise.weight.std()) == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert not any(layer.bias.any() for layer in (block.fc5, block.pointwise, block.depthwise))


def test_sizes_that_do_not_fit_are_errors() -> None:
    message = "at least 16 pixels, divisible by 16, but got 40 x 15; pad the image to 48 x 16."
    with pytest.raises(ValueError, match=message):
        RollingUNet()(torch.zeros(1, 3, 40, 15))
