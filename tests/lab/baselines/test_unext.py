"""UNeXt: the shapes, stages and logits of the authors' code, and channels that are shifted by groups."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmunet_lab.baselines.unext import SIZES, UNeXt, shift

from .recipes import Fingerprint, assert_fingerprint, assert_taps, fill_a, fill_b, picture, shape_digest

DIGESTS = {
    "unext": "370ab4704e9fc03a",
    "unext_s": "aaa676d5b74f8b3b",
}
FINGERPRINTS = {  # (network, recipe)
    ("unext", "A"): Fingerprint(
        (2.7208329e-02, 5.8187013e-03, 1.4505997e-03, 3.6605322e-02),
        (2.3269993e-02, 3.3413962e-02, 2.5815342e-02, 3.2006180e-02, 1.0662259e-02),
    ),
    ("unext", "B"): Fingerprint(
        (-2.3760657e00, 1.0777744e00, -4.9163543e00, 1.7233880e-01),
        (-5.7457704e-01, -2.4380491e00, -3.4911998e00, -3.2363712e00, -4.9275416e-01),
    ),
    ("unext_s", "A"): Fingerprint(
        (1.4087115e-02, 9.3205251e-04, 9.8357622e-03, 1.9711237e-02),
        (1.3595448e-02, 1.4303213e-02, 1.3787000e-02, 1.6020901e-02, 9.8357622e-03),
    ),
    ("unext_s", "B"): Fingerprint(
        (-9.7688895e-01, 4.6921184e-01, -2.7182431e00, 1.1553445e00),
        (-1.2123191e00, -1.4484768e00, -1.0542368e00, -1.1218216e00, 1.1320590e-01),
    ),
}
TAPS = {  # of `unext`
    "encoder1.1": (2.7608310e-02, 8.6829257e-01),  # ebn1
    "encoder2.1": (-1.2177933e-02, 1.2636601e00),  # ebn2
    "encoder3.1": (7.9333952e-03, 1.3905950e00),  # ebn3
    "encoder4.0": (-9.2040630e-03, 9.8687124e-01),  # patch_embed3.norm
    "encoder4.1": (-6.7685567e-02, 1.5810242e00),  # block1.0
    "encoder4": (-6.9475198e-03, 1.0225191e00),  # norm3
    "bottleneck.0": (3.2060607e-03, 1.0140672e00),  # patch_embed4.norm
    "bottleneck.1": (2.5486208e-02, 1.1397986e00),  # block2.0
    "bottleneck": (1.5007518e-04, 1.0408371e00),  # norm4
    "reduce5.1": (-3.8946386e-03, 8.9485422e-01),  # dbn1
    "decoder4.0": (2.2655981e-01, 1.9698261e00),  # dblock1.0
    "decoder4": (-3.5575275e-03, 1.0296314e00),  # dnorm3
    "reduce4.1": (4.3030000e-03, 1.0685317e00),  # dbn2
    "decoder3.0": (1.1150231e00, 2.1051692e00),  # dblock2.0
    "decoder3": (3.0876260e-02, 1.0144686e00),  # dnorm4
    "reduce3.1": (-1.5320289e-01, 1.1199575e00),  # dbn3
    "reduce2.1": (2.9456630e-01, 1.7192315e00),  # dbn4
    "reduce1": (1.1806223e-01, 2.8987938e00),  # decoder5
}


@pytest.mark.parametrize("name", SIZES)
def test_parameters_have_the_shapes_of_the_original(name: str) -> None:
    assert shape_digest(UNeXt(SIZES[name])) == DIGESTS[name]


@torch.no_grad()
@pytest.mark.parametrize("name", SIZES)
def test_logits_are_those_of_the_original(name: str) -> None:
    assert_fingerprint(fill_a(UNeXt(SIZES[name]))(picture()), FINGERPRINTS[name, "A"])
    assert_fingerprint(fill_b(UNeXt(SIZES[name]))(picture()), FINGERPRINTS[name, "B"])


def test_stages_are_those_of_the_original() -> None:
    assert_taps(fill_b(UNeXt()), TAPS, picture())


@given(H=st.integers(1, 5), W=st.integers(1, 5), C=st.sampled_from([5, 8, 10, 13, 32]), dim=st.sampled_from([2, 3]))
def test_a_pixel_comes_from_its_group_s_distance_or_is_zero(H: int, W: int, C: int, dim: int) -> None:
    x = torch.rand(2, C, H, W) + 1
    shifted = shift(x, dim)
    assert shifted.shape == x.shape
    for c in range(C):
        by = c // -(-C // 5) - 2
        for row in range(H):
            for column in range(W):
                i, j = (row - by, column) if dim == 2 else (row, column - by)
                inside = 0 <= i < H and 0 <= j < W
                expected = x[:, c, i, j] if inside else torch.zeros(2)
                assert torch.equal(shifted[:, c, row, column], expected)


@torch.no_grad()
def test_weights_are_drawn_as_the_authors_draw_them() -> None:
    weights = UNeXt().bottleneck.state_dict()
    assert float(weights["1.fc1.weight"].std()) == pytest.approx(0.02, rel=0.02)
    assert float(weights["1.depthwise.weight"].std()) == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert float(weights["0.project.weight"].std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert not any(weights[f"{name}.bias"].any() for name in ("0.project", "1.fc1", "1.fc2", "1.depthwise"))


def test_sizes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="divisible by 32, but got 48 x 31; pad the image to 64 x 32"):
        UNeXt()(torch.zeros(1, 3, 48, 31))
