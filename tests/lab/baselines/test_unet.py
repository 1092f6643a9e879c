"""U-Net: both forms are those of the code that comparisons print, and odd maps are joined with zeros at their end."""

import pytest
import torch
from torch import Tensor, nn

from tmunet_lab.baselines.unet import SIZES, UNet, UNetDecoder

from .recipes import Fingerprint, assert_fingerprint, assert_taps, fill_a, fill_b, picture, shape_digest

FORMS = ("unet", "unet_classic")
DIGESTS = {"unet": "1fbea577b7c49b60", "unet_classic": "07a32930ed8c2fa8"}
FINGERPRINTS = {  # (network, recipe)
    ("unet", "A"): Fingerprint(
        (5.0324231e-01, 1.8894063e-04, 5.0281139e-01, 5.0363702e-01),
        (5.0343628e-01, 5.0315339e-01, 5.0344689e-01, 5.0340614e-01, 5.0300539e-01),
    ),
    ("unet", "B"): Fingerprint(
        (3.1604692e-01, 3.9822753e-02, 2.2260405e-01, 4.5526959e-01),
        (2.7097888e-01, 3.5525653e-01, 2.9057882e-01, 2.4258564e-01, 3.4086269e-01),
    ),
    ("unet_classic", "A"): Fingerprint(
        (1.1825927e-02, 5.0588951e-04, 1.0608731e-02, 1.3028281e-02),
        (1.2383289e-02, 1.1664839e-02, 1.2512375e-02, 1.2021860e-02, 1.1002898e-02),
    ),
    ("unet_classic", "B"): Fingerprint(
        (-7.4051131e-01, 2.8706500e-01, -1.5878710e00, 2.7256524e-02),
        (-7.8820201e-01, -4.3629764e-01, -3.9640843e-01, -5.8399743e-01, -5.3555820e-01),
    ),
}
TAPS = {
    "unet": {
        "encoder1": (3.0149178e-01, 4.5477663e-01),  # enc1
        "encoder2": (2.7464948e-01, 4.2189520e-01),  # enc2
        "encoder3": (2.7158808e-01, 4.2039306e-01),  # enc3
        "encoder4": (2.3465941e-01, 3.6473478e-01),  # enc4
        "encoder5": (1.6917808e-01, 2.6247366e-01),  # enc5
        "decoder4": (1.5436255e-01, 2.3889979e-01),  # dec1
        "decoder3": (1.5939930e-01, 2.3711949e-01),  # dec2
        "decoder2": (2.0111648e-01, 3.1917001e-01),  # dec3
        "decoder1": (1.8820479e-01, 2.7684209e-01),  # dec4
    },
    "unet_classic": {
        "encoder1": (2.9513842e-01, 4.4601124e-01),  # enc1
        "encoder2": (2.8009724e-01, 4.1823712e-01),  # enc2
        "encoder3": (2.8046374e-01, 4.2772194e-01),  # enc3
        "encoder4": (2.3776958e-01, 3.7221284e-01),  # enc4
        "encoder5": (1.6656413e-01, 2.6563093e-01),  # enc5
        "decoder4": (1.4270509e-01, 2.2730045e-01),  # dec1
        "decoder3": (1.7258323e-01, 2.6318432e-01),  # dec2
        "decoder2": (1.8069189e-01, 2.7727052e-01),  # dec3
        "decoder1": (2.0468288e-01, 2.9520026e-01),  # dec4
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_parameters_have_the_shapes_of_the_original(name: str) -> None:
    assert shape_digest(UNet(SIZES[name])) == DIGESTS[name]


def test_the_default_configuration_is_the_bilinear_form() -> None:
    with torch.device("meta"):
        assert UNet().config == SIZES["unet"]


def activated(name: str, logits: Tensor) -> Tensor:
    """What the original gives; its bilinear form ends in a sigmoid."""
    return logits.sigmoid() if name == "unet" else logits


@pytest.mark.slow  # recipe B compares every stage
@torch.no_grad()
@pytest.mark.parametrize("name", FORMS)
def test_logits_of_recipe_a_are_those_of_the_original(name: str) -> None:
    logits = fill_a(UNet(SIZES[name]))(picture())
    assert_fingerprint(activated(name, logits), FINGERPRINTS[name, "A"])


@pytest.mark.parametrize("name", FORMS)
def test_stages_and_logits_of_recipe_b_are_those_of_the_original(name: str) -> None:
    logits = assert_taps(fill_b(UNet(SIZES[name])), TAPS[name], picture())
    assert_fingerprint(activated(name, logits), FINGERPRINTS[name, "B"])


@pytest.mark.parametrize("stage", [UNetDecoder(4, 2, 3, transposed=False), UNetDecoder(4, 2, 2, transposed=True)])
@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (5, 7)])
@torch.no_grad()
def test_a_decoder_stage_joins_the_skip_first_and_zeros_where_pooling_lost_pixels(
    stage: UNetDecoder, size: tuple[int, int]
) -> None:
    joined: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        joined.append(inputs[0])

    stage.convs.register_forward_pre_hook(note)
    x, skip = torch.randn(1, 4, 2, 3), torch.randn(1, 2, *size)
    out = stage.eval()(x, skip)
    up = stage.up(x)
    assert up.shape[2:] == (4, 6)
    assert torch.equal(joined[0][:, :2], skip)
    assert torch.equal(joined[0][:, 2:, :4, :6], up)
    assert not joined[0][:, 2:, 4:].any()
    assert not joined[0][:, 2:, :, 6:].any()
    assert out.shape[2:] == size


@torch.no_grad()
def test_the_bilinear_form_aligns_the_corners() -> None:
    up = UNetDecoder(1, 1, 1, transposed=False).up(torch.tensor([[0.0, 3.0], [6.0, 9.0]])[None, None])
    assert torch.allclose(up[0, 0], torch.arange(4.0)[None] + 2 * torch.arange(4.0)[:, None])


@pytest.mark.parametrize("name", FORMS)
def test_an_image_of_less_than_16_pixels_is_an_error(name: str) -> None:
    network = UNet(SIZES[name]).eval()
    with pytest.raises(ValueError, match="but got 15 x 20; pad the image to 16 x 20"):
        network(torch.zeros(1, 3, 15, 20))
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 16, 20)).shape == (1, 1, 16, 20)
