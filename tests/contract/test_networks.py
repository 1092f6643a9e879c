"""What every network by name keeps, whatever it is inside. A new network needs its row in PINNED and nothing else."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tmunet.bench.cost import count_macs, count_parameters
from tmunet.registry import create_model, list_models

PINNED = {  # name: (parameters, multiply-accumulates of one 3 x 512 x 512 image)
    "tmunet_t": (266_017, 523_035_648),
    "tmunet_s": (1_016_577, 1_771_112_448),
    "tmunet_b": (3_971_521, 6_447_304_704),
}


def test_every_network_is_pinned() -> None:
    assert set(PINNED) == set(list_models())


def logits(network: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = network(image)
    return result


def trained_a_little(name: str, in_channels: int = 3, num_classes: int = 2) -> nn.Module:
    """In eval mode, with running statistics that are no longer those of a fresh network."""
    network = create_model(name, in_channels, num_classes).train()
    for _ in range(2):
        logits(network, torch.rand(2, in_channels, 64, 96))
    return network.eval()


def assert_near(result: Tensor, expected: Tensor, tolerance: float) -> None:
    """Relative to the largest logit."""
    assert result.shape == expected.shape
    assert (result - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("name", list_models())
class TestNetworkContract:
    def test_parameters_and_macs_are_pinned(self, name: str) -> None:
        network = create_model(name)
        assert (count_parameters(network), count_macs(network)) == PINNED[name]

    def test_every_parameter_learns(self, name: str) -> None:
        network = create_model(name, num_classes=2).train()
        result = network(torch.rand(2, 3, 64, 96))
        (result * torch.randn_like(result)).sum().backward()
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name
            assert parameter.grad.any(), parameter_name

    @pytest.mark.parametrize("in_channels", [1, 3, 4])
    @pytest.mark.parametrize("num_classes", [1, 2, 5])
    def test_channels_and_classes(self, name: str, in_channels: int, num_classes: int) -> None:
        network = create_model(name, in_channels, num_classes).eval()
        result = logits(network, torch.rand(1, in_channels, 32, 40))
        assert result.shape == (1, num_classes, 32, 40)
        assert result.dtype == torch.float32

    def test_every_height_and_width_from_32_to_96_is_taken_or_refused_with_one_that_fits(self, name: str) -> None:
        network, seen = create_model(name).eval(), set()
        for height in range(32, 97):
            width = 128 - height  # together they pass through every size, in a small area
            image = torch.rand(1, 3, height, width)
            if not network.image_size.admits(height, width):
                H, W = network.image_size.nearest(height, width)
                with pytest.raises(
                    ValueError, match=f"but got {height} x {width}; (pad|resize) the image to {H} x {W}"
                ):
                    network(image)
                image, height, width = torch.rand(1, 3, H, W), H, W
            if (height, width) in seen:
                continue
            seen.add((height, width))
            result = logits(network, image)
            assert result.shape == (1, 1, height, width)
            assert result.isfinite().all(), (height, width)

    def test_eval_is_deterministic_and_has_no_memory_of_other_images(self, name: str) -> None:
        network, image = trained_a_little(name), torch.rand(1, 3, 61, 64)
        first = logits(network, image)
        logits(network, torch.rand(2, 3, 64, 47))
        assert torch.equal(logits(network, image), first)

    def test_a_batch_is_its_images_one_by_one(self, name: str) -> None:
        network, images = trained_a_little(name), torch.rand(2, 3, 61, 64)
        singles = torch.cat([logits(network, image[None]) for image in images])
        assert_near(logits(network, images), singles, 1e-5)

    def test_weights_survive_a_safetensors_file(self, name: str, tmp_path: Path) -> None:
        network, image = trained_a_little(name), torch.rand(1, 3, 64, 64)
        save_file(network.state_dict(), tmp_path / "model.safetensors")
        other = create_model(name, num_classes=2).eval()
        assert not torch.equal(logits(other, image), logits(network, image))
        other.load_state_dict(load_file(tmp_path / "model.safetensors"))
        assert torch.equal(logits(other, image), logits(network, image))

    def test_copies_and_pickles_are_the_same_network(self, name: str) -> None:
        network, image = trained_a_little(name), torch.rand(1, 3, 64, 64)
        expected = logits(network, image)
        twin, thawed = copy.deepcopy(network), pickle.loads(pickle.dumps(network))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        assert torch.equal(logits(twin, image), expected)
        assert torch.equal(logits(thawed, image), expected)

    def test_the_exported_program_is_the_same_function(self, name: str) -> None:
        network, image = trained_a_little(name), torch.rand(1, 3, 64, 64)
        program = torch.export.export(network, (image,))
        other = torch.rand(1, 3, 64, 64)
        assert_near(logits(program.module(), other), logits(network, other), 1e-5)

    def test_bfloat16_is_finite_and_near_float32(self, name: str) -> None:
        network, image = trained_a_little(name), torch.rand(2, 3, 61, 64)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = logits(network, image)
        assert result.isfinite().all()
        assert_near(result.float(), logits(network, image), 0.05)
