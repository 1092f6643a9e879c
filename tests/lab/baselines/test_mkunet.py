"""MK-UNet: the shapes, stages and logits of the authors' code."""

import pytest
import torch

from tmunet_lab.baselines.mkunet import SIZES, MKUNet, MKUNetConfig

from .recipes import Fingerprint, assert_fingerprint, assert_taps, fill_a, fill_b, picture, shape_digest

SCALE = 0.6  # of recipe B
DIGESTS = {
    "mkunet_t": "b0d1de71c9a67c21",
    "mkunet_s": "c60d9e0668ea3e08",
    "mkunet": "99c762666eb2ae99",
    "mkunet_m": "61cfbae070c67f50",
    "mkunet_l": "b82ca42e907906ea",
}
FINGERPRINTS = {  # (network, recipe)
    ("mkunet_t", "A"): Fingerprint(
        (1.0222400e-02, 4.7146212e-04, 9.2439193e-03, 1.1333895e-02),
        (1.0831714e-02, 1.0133363e-02, 1.0520420e-02, 9.3691682e-03, 9.6695214e-03),
    ),
    ("mkunet_t", "B"): Fingerprint(
        (-1.9844976e-01, 3.8381894e-02, -2.7852040e-01, -9.4700589e-02),
        (-1.4003235e-01, -2.2390428e-01, -1.5198768e-01, -2.4061294e-01, -2.0306446e-01),
    ),
    ("mkunet_s", "A"): Fingerprint(
        (1.4382624e-02, 4.2873337e-04, 1.3288228e-02, 1.5089209e-02),
        (1.3959312e-02, 1.5003009e-02, 1.3951237e-02, 1.4496019e-02, 1.4729593e-02),
    ),
    ("mkunet_s", "B"): Fingerprint(
        (-1.0805940e-02, 1.1618671e-02, -4.8671281e-02, 4.1242105e-02),
        (-2.0850294e-02, -4.7169270e-03, -1.0559828e-02, -4.8120350e-03, -4.0709505e-02),
    ),
    ("mkunet", "A"): Fingerprint(
        (1.2105131e-02, 2.2109448e-04, 1.1557292e-02, 1.2819681e-02),
        (1.2319611e-02, 1.2036640e-02, 1.2268232e-02, 1.1834553e-02, 1.2070461e-02),
    ),
    ("mkunet", "B"): Fingerprint(
        (-2.4260132e-01, 1.6935560e-02, -2.9111349e-01, -1.9912433e-01),
        (-2.1098594e-01, -2.5032684e-01, -2.2709870e-01, -2.5974615e-01, -2.7796811e-01),
    ),
    ("mkunet_m", "A"): Fingerprint(
        (1.0516199e-02, 2.9349564e-04, 9.6018462e-03, 1.1152783e-02),
        (1.0556820e-02, 1.0526982e-02, 1.0344335e-02, 1.0255238e-02, 9.6018462e-03),
    ),
    ("mkunet_m", "B"): Fingerprint(
        (-2.3994414e-01, 1.6959653e-02, -3.1114507e-01, -1.9095411e-01),
        (-2.3181689e-01, -2.2953464e-01, -2.4713406e-01, -2.4481392e-01, -1.9095411e-01),
    ),
    ("mkunet_l", "A"): Fingerprint(
        (1.2602930e-02, 6.4455724e-04, 1.1127713e-02, 1.3653165e-02),
        (1.3211025e-02, 1.3092619e-02, 1.3387116e-02, 1.1385696e-02, 1.1422419e-02),
    ),
    ("mkunet_l", "B"): Fingerprint(
        (-1.3454041e-01, 1.9474158e-02, -2.1970937e-01, -9.6077859e-02),
        (-1.2955555e-01, -1.1721784e-01, -1.5080841e-01, -1.3117832e-01, -1.1741888e-01),
    ),
}
TAPS = {  # of `mkunet`
    "encoder1": (5.7899427e-02, 7.7973148e-01),  # encoder1
    "encoder2": (-2.8199496e-01, 7.5300049e-01),  # encoder2
    "encoder3": (1.6691090e-01, 6.2551193e-01),  # encoder3
    "encoder4": (-3.1143406e-02, 7.2298490e-01),  # encoder4
    "encoder5": (-4.9008290e-02, 7.4858519e-01),  # encoder5
    "decoder5": (1.3655329e-03, 2.2535668e-01),  # decoder1
    "gate4": (3.3755850e-02, 2.3348872e-01),  # AG1
    "decoder4": (2.3878730e-02, 1.7159036e-01),  # decoder2
    "gate3": (9.4417087e-02, 1.4851398e-01),  # AG2
    "decoder3": (-1.2983180e-02, 1.5304817e-01),  # decoder3
    "gate2": (-2.3035643e-02, 1.8901568e-01),  # AG3
    "decoder2": (1.1285494e-02, 1.6661492e-01),  # decoder4
    "gate1": (1.5736874e-01, 1.3951436e-01),  # AG4
    "decoder1": (7.9290649e-02, 1.1777209e-01),  # decoder5
}
SLOW = ("mkunet_m", "mkunet_l")


@pytest.mark.parametrize("name", SIZES)
def test_parameters_have_the_shapes_of_the_original(name: str) -> None:
    assert shape_digest(MKUNet(SIZES[name])) == DIGESTS[name]


@torch.no_grad()
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in SIZES])
def test_logits_are_those_of_the_original(name: str) -> None:
    assert_fingerprint(fill_a(MKUNet(SIZES[name]))(picture()), FINGERPRINTS[name, "A"])
    assert_fingerprint(fill_b(MKUNet(SIZES[name]), SCALE)(picture()), FINGERPRINTS[name, "B"])


def test_stages_are_those_of_the_original() -> None:
    assert_taps(fill_b(MKUNet(), SCALE), TAPS, picture())


@torch.no_grad()
def test_a_gray_image_is_seen_as_three_equal_channels() -> None:
    gray, color = MKUNet(MKUNetConfig(in_channels=1)).eval(), MKUNet().eval()
    color.load_state_dict(gray.state_dict())
    image = torch.rand(1, 1, 32, 64)
    assert torch.equal(gray(image), color(image.repeat(1, 3, 1, 1)))


@torch.no_grad()
def test_weights_are_drawn_as_the_authors_draw_them() -> None:
    network = MKUNet()
    weights = network.state_dict()
    for name in ("encoder5.project.0.weight", "decoder5.expand.0.weight"):
        assert float(weights[name].std()) == pytest.approx(0.02, rel=0.03)
    assert not weights["gate4.from_skip.0.bias"].any()
    assert float(network.head.weight.std()) > 0.05


@pytest.mark.parametrize("widths", [(4, 8, 15, 24, 32), (0, 8, 16, 24, 32), (4, 8, 16, 24, 1)])
def test_widths_that_have_no_pairs_are_errors(widths: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="first four even"):
        MKUNetConfig(widths=widths)


def test_sizes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="divisible by 32, but got 48 x 31; pad the image to 64 x 32"):
        MKUNet()(torch.zeros(1, 3, 48, 31))
