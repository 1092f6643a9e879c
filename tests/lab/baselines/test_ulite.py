"""U-Lite: the shapes, stages and logits of the authors' code."""

import pytest
import torch
from torch import Tensor

from tmunet_lab.baselines.ulite import AxialConv, ULite

from .recipes import Fingerprint, assert_fingerprint, assert_taps, fill_a, fill_b, picture, shape_digest

SCALE = 0.6  # of recipe B
FINGERPRINTS = {  # by recipe
    "A": Fingerprint(
        (1.0689184e-02, 1.4122998e-05, 1.0583897e-02, 1.0758556e-02),
        (1.0691030e-02, 1.0692025e-02, 1.0691100e-02, 1.0691572e-02, 1.0758556e-02),
    ),
    "B": Fingerprint(
        (-7.7205349e-01, 3.1207569e-01, -1.4204845e00, -1.8105793e-01),
        (-4.3029228e-01, -7.1981571e-01, -5.2515928e-01, -1.2433494e00, -5.3100770e-01),
    ),
}
TAPS = {
    "stem": (6.4243751e-03, 4.8927477e-01),  # stem
    "encoder1.norm": (6.7942716e-02, 6.4112688e-01),  # skip_1
    "encoder1.activation": (3.2436797e-01, 3.3046514e-01),  # enc 1 out
    "encoder2.norm": (1.0510024e-01, 5.6230662e-01),  # skip_2
    "encoder2.activation": (1.7039628e-01, 2.8161634e-01),  # enc 2 out
    "encoder3.norm": (1.5055217e-01, 5.1135877e-01),  # skip_3
    "encoder3.activation": (1.3484580e-01, 2.4708661e-01),  # enc 3 out
    "encoder4.norm": (8.2980049e-02, 4.6450903e-01),  # skip_4
    "encoder4.activation": (1.1147775e-01, 2.4996558e-01),  # enc 4 out
    "encoder5.norm": (9.6558582e-02, 3.7677635e-01),  # skip_5
    "encoder5.activation": (7.8694791e-02, 1.9421448e-01),  # enc 5 out
    "bottleneck": (1.8506891e-02, 1.2793953e-01),  # bottleneck
    "decoder5": (4.4624814e-02, 1.9034103e-01),  # dec 5
    "decoder4": (5.7904175e-02, 2.0178665e-01),  # dec 4
    "decoder3": (1.1629633e-01, 2.9717101e-01),  # dec 3
    "decoder2": (1.0295956e-01, 2.6599767e-01),  # dec 2
    "decoder1": (2.0646000e-01, 4.4814239e-01),  # dec 1
}


def test_parameters_have_the_shapes_of_the_original() -> None:
    assert shape_digest(ULite()) == "1194a211c937661c"


@torch.no_grad()
def test_logits_of_recipe_a_are_those_of_the_original() -> None:
    assert_fingerprint(fill_a(ULite())(picture()), FINGERPRINTS["A"])


def test_stages_and_logits_of_recipe_b_are_those_of_the_original() -> None:
    logits = assert_taps(fill_b(ULite(), SCALE), TAPS, picture())
    assert_fingerprint(logits, FINGERPRINTS["B"])


def touched(module: AxialConv, side: int) -> Tensor:
    """Which outputs (side, side) the central pixel reaches."""
    impulse = torch.zeros(1, 1, side, side)
    impulse[..., side // 2, side // 2] = 1
    with torch.no_grad():
        return (module(impulse) - module(torch.zeros_like(impulse)))[0, 0] != 0


@pytest.mark.parametrize(("kernel", "dilation"), [(7, 1), (3, 1), (3, 2), (3, 3)])
def test_an_axial_convolution_reaches_a_cross(kernel: int, dilation: int) -> None:
    expected = torch.zeros(9, 9, dtype=torch.bool)
    reach = [4 + dilation * step for step in range(-(kernel // 2), kernel // 2 + 1)]
    expected[reach, 4] = True
    expected[4, reach] = True
    assert torch.equal(touched(AxialConv(1, kernel, dilation), 9), expected)


def test_sizes_that_do_not_fit_are_errors() -> None:
    message = "at least 32 pixels, divisible by 32, but got 48 x 31; pad the image to 64 x 32."
    with pytest.raises(ValueError, match=message):
        ULite()(torch.zeros(1, 3, 48, 31))
