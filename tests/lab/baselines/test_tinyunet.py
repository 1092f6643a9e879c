"""TinyU-Net: the shapes, stages and logits of the authors' code, and a cascade that is one."""

import pytest
import torch
from torch import Tensor, nn

from tmunet_lab.baselines.tinyunet import CMRF, TinyUNet

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

SCALE = 0.6  # of recipe B
FINGERPRINTS = {  # by recipe
    "A": Fingerprint(
        (1.0617299e-02, 1.5001255e-06, 1.0616341e-02, 1.0627364e-02),
        (1.0616853e-02, 1.0617517e-02, 1.0616910e-02, 1.0616907e-02, 1.0623282e-02),
    ),
    "B": Fingerprint(
        (-1.5076632e00, 1.0755173e00, -3.5267688e00, -2.0730701e-02),
        (-1.4486517e00, -3.0961651e00, -3.1768344e00, -1.5486284e00, -1.0985089e-01),
    ),
}
TAPS = {
    "encoder1.reduce": (1.5785249e-01, 3.5595128e-01),  # enc1, CMRF step 1
    "encoder1": (1.6536163e-02, 1.0653332e-01),  # k_1
    "encoder2": (2.4552405e-02, 1.4433491e-01),  # k_2
    "encoder3": (4.2755879e-02, 2.0445939e-01),  # k_3
    "encoder4": (1.9240382e00, 3.2057535e00),  # k_4
    "pool": (2.4757609e00, 3.7216496e00),  # pooled k_4
    "decoder4": (2.9301340e01, 4.7334159e01),  # dec4
    "decoder3": (1.1798700e01, 2.1189071e01),  # dec3
    "decoder2": (1.7864896e00, 3.3378875e00),  # dec2
    "decoder1": (3.7827988e-01, 1.0772702e00),  # dec1
}


def test_parameters_have_the_shapes_of_the_original() -> None:
    assert shape_digest(TinyUNet()) == "9d502a59f0eb1855"


@torch.no_grad()
def test_logits_of_recipe_a_are_those_of_the_original() -> None:
    assert_fingerprint(fill_a(TinyUNet())(picture()), FINGERPRINTS["A"])


def test_stages_and_logits_of_recipe_b_are_those_of_the_original() -> None:
    logits = assert_taps(fill_b(TinyUNet(), SCALE), TAPS, picture())
    assert_fingerprint(logits, FINGERPRINTS["B"])


@torch.no_grad()
def test_a_block_alone_is_that_of_the_original() -> None:
    y = fill_b(CMRF(3, 32))(sequence(180, 10).reshape(2, 3, 5, 6))
    found = (y.mean(), y.std(correction=0), y[0, 0, 0, 0], y[1, 31, 4, 5])
    assert_same([float(value) for value in found], (2.6545170e00, 4.8658584e00, -1.2430872e-01, 6.7641411e00), 20)


@torch.no_grad()
def test_each_step_of_the_cascade_sees_one_pixel_further() -> None:
    block = CMRF(3, 16).eval()  # a single channel in each part
    nn.init.ones_(block.reduce[0][0].weight)
    for step in block.cascade:
        nn.init.ones_(step[0].weight)
    parts: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        parts.append(inputs[0])

    block.expand.register_forward_pre_hook(note)
    image = torch.zeros(1, 3, 17, 17)
    image[..., 8, 8] = 1
    block(image)
    reach = [int((part.sum(0) != 0).sum()) for part in parts[0][0]]
    assert reach == [1, 3, 5, 7, 9, 11, 13, 15]


def test_norms_are_those_of_the_original() -> None:
    norms = [module for module in TinyUNet().modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.03)}


def test_sizes_that_do_not_fit_are_errors() -> None:
    message = "at least 16 pixels, divisible by 16, but got 40 x 15; pad the image to 48 x 16."
    with pytest.raises(ValueError, match=message):
        TinyUNet()(torch.zeros(1, 3, 40, 15))
