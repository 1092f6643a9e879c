"""nnU-Net's network for 512 x 512: the authors' layers with the plan's arguments, each registered once, deep supervision."""

import sys

import pytest
import torch

from tmunet.errors import MissingExtraError
from tmunet_lab.baselines.plain_conv_unet import NNUNet, NNUNetConfig

from .recipes import Fingerprint, assert_fingerprint, fill_b, picture, shape_digest

pytest.importorskip("dynamic_network_architectures", reason="pip install 'tmunet[nnunet]'")

RECIPE_B = Fingerprint(
    (-1.0227810e00, 1.0956129e00, -5.2061612e00, 2.6884490e00),
    (-1.2991335e00, 8.4825468e-01, -1.2489848e00, -2.5139527e-01, -6.1158253e-01),
)  # at 256 x 256


def without_weights(config: NNUNetConfig | None = None) -> NNUNet:
    """For what needs no arithmetic; the weights take a second to draw."""
    with torch.device("meta"):
        return NNUNet(config)


def test_parameters_have_the_shapes_of_the_original() -> None:
    assert shape_digest(without_weights()) == "561a6c57f4473536"
    assert shape_digest(without_weights(NNUNetConfig(num_classes=2))) == "c8c07af89e8da63a"


def test_each_tensor_has_one_name() -> None:
    tensors = without_weights().state_dict(keep_vars=True).values()
    assert len({id(tensor) for tensor in tensors}) == len(tensors) == 148


@torch.no_grad()
def test_weights_are_drawn_as_nnunet_draws_them() -> None:
    convolution = NNUNet().unet.encoder.stages[3][0].convs[1].all_modules[0]
    assert not convolution.bias.any()
    fan_in = 256 * 3 * 3
    assert float(convolution.weight.std()) == pytest.approx((2 / (1 + 0.01**2) / fan_in) ** 0.5, rel=0.01)


@torch.no_grad()
def test_logits_of_recipe_b_are_those_of_the_original() -> None:
    assert_fingerprint(fill_b(NNUNet())(picture(256)), RECIPE_B)


@torch.no_grad()
def test_deep_supervision_is_of_training_alone_and_begins_with_the_logits_of_eval_mode() -> None:
    network, image = NNUNet(), torch.rand(1, 3, 256, 256)
    deep = network(image)
    assert isinstance(deep, tuple)
    assert [tuple(logits.shape) for logits in deep] == [(1, 1, 256 >> level, 256 >> level) for level in range(7)]
    assert torch.equal(network.eval()(image), deep[0])
    assert len(network.supervision_weights) == len(deep)


def test_a_parent_that_changes_the_mode_changes_deep_supervision() -> None:
    parent = torch.nn.Sequential(without_weights())
    assert parent.eval()[0].unet.decoder.deep_supervision is False
    assert parent.train()[0].unet.decoder.deep_supervision is True


def test_supervision_halves_with_the_resolution_and_leaves_out_the_last() -> None:
    weights = NNUNet.supervision_weights
    assert sum(weights) == pytest.approx(1)
    assert [weights[0] / weight for weight in weights[:-1]] == pytest.approx([1, 2, 4, 8, 16, 32])
    assert weights[-1] == 0


@pytest.mark.parametrize(
    ("size", "fitting"), [((128, 256), (256, 256)), ((320, 256), (384, 256)), ((500, 513), (512, 640))]
)
def test_sizes_that_do_not_fit_are_errors(size: tuple[int, int], fitting: tuple[int, int]) -> None:
    message = (
        f"at least 256 pixels, divisible by 128, but got {size[0]} x {size[1]}; pad .* {fitting[0]} x {fitting[1]}"
    )
    with pytest.raises(ValueError, match=message):
        without_weights()(torch.zeros(1, 3, *size))


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "dynamic_network_architectures"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tmunet\[nnunet\]'"):
        NNUNet()
