"""Weights by formula, so that two programs that share no code can be compared: they must agree on the same image.

A recipe fills every tensor from its own shape and kind alone, so names and order do not matter. Everything is float64 and in
eval mode. The expected numbers were measured on the authors' own code; they are printed with eight significant digits.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)
PLACES = ((8, 8), (16, 40), (31, 31), (40, 16), (63, 63))  # (row, column) of the five logits of a fingerprint


def sequence(count: int, start: int = 0) -> Tensor:
    """v_start .. v_(start + count - 1) of recipe B, in [-1, 1]."""
    i = torch.arange(start, start + count, dtype=torch.int64) % 65521
    return ((40503 * i * i + 7919 * i + 12345) % 65521).double() / 32760 - 1


def is_bias(name: str) -> bool:
    return name.rsplit(".", 1)[-1].endswith("bias")


@torch.no_grad()
def fill_a(network: Network, offsets: Sequence[str] = ()) -> Network:
    """Recipe A: weights 0.1 cos(n), gains 1, biases 0.01.

    Args:
        network: is changed in place.
        offsets: endings of the names of gains that are stored as their distance from 1.
    """
    network.double().eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim >= 2:
            n = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((0.1 * n.cos()).reshape(parameter.shape))
        elif is_bias(name):
            parameter.fill_(0.01)
        else:
            parameter.fill_(0.0 if name.endswith(tuple(offsets)) else 1.0)
    return network


@torch.no_grad()
def fill_b(network: Network, scale: float = 1.0, offsets: Sequence[str] = ()) -> Network:
    """Recipe B: weights, gains, biases and running statistics of a quadratic congruential sequence.

    Args:
        network: is changed in place.
        scale: factor of the weights (0.6 for the networks whose activations would grow without end).
        offsets: endings of the names of gains that are stored as their distance from 1.
    """
    network.double().eval()
    for name, parameter in network.named_parameters():
        N = parameter.numel()
        if parameter.ndim >= 2:
            gain = scale * math.sqrt(6 * parameter.shape[0] / N)
            parameter.copy_(gain * sequence(N).reshape(parameter.shape))
        elif is_bias(name):
            parameter.copy_(0.1 * sequence(N, 200))
        else:
            parameter.copy_(0.25 * sequence(N, 100) + (0.0 if name.endswith(tuple(offsets)) else 1.0))
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(0.1 * sequence(buffer.numel(), 300))
        elif name.endswith("running_var"):
            buffer.copy_(1 + 0.5 * sequence(buffer.numel(), 400).abs())
    return network


def picture(side: int = 64) -> Tensor:
    """The image of every fingerprint, (1, 3, side, side)."""
    m = torch.arange(3 * side * side, dtype=torch.float64)
    return (m / 7).sin().reshape(1, 3, side, side)


@dataclass(frozen=True)
class Fingerprint:
    """What an image's logits are, as printed."""

    whole: tuple[float, float, float, float]
    """Mean, std, min and max."""
    logits: tuple[float, float, float, float, float]
    """Of the first class at `PLACES`."""


def assert_same(found: Sequence[float], expected: Sequence[float], largest: float) -> None:
    """Compare to half a unit of the eighth digit, plus 1e-9 of the largest value.

    Args:
        found: computed in float64.
        expected: as printed, with eight significant digits.
        largest: the scale of rounding errors, max |y|.
    """
    assert len(found) == len(expected)
    for here, there in zip(found, expected, strict=True):
        digit = 10.0 ** (math.floor(math.log10(abs(there))) - 7)
        assert abs(here - there) <= 0.5001 * digit + 1e-9 * largest, f"{here:.8e}, but expected {there:.7e}"


def assert_fingerprint(logits: Tensor, expected: Fingerprint) -> None:
    """Compare the logits (1, K, H, W) of one image with a fingerprint."""
    whole = (logits.mean(), logits.std(correction=0), logits.min(), logits.max())
    places = (logits[0, 0, row, column] for row, column in PLACES)
    found = [float(value) for value in (*whole, *places)]
    assert_same(found, (*expected.whole, *expected.logits), float(logits.abs().max()))


def shape_digest(network: nn.Module) -> str:
    """Equal where two networks have parameters of the same shapes, in whatever order."""
    shapes = sorted(str(tuple(parameter.shape)) for parameter in network.parameters())
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:16]


@torch.no_grad()
def taps(network: nn.Module, names: Iterable[str], image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The logits of an image, and the outputs of submodules by their dotted names."""
    outputs: dict[str, Tensor] = {}

    def note(name: str) -> None:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            outputs[name] = output.clone()  # later layers may write in place

        network.get_submodule(name).register_forward_hook(keep)

    for name in names:
        note(name)
    return network(image), outputs


def assert_taps(network: nn.Module, expected: Mapping[str, tuple[float, float]], image: Tensor) -> Tensor:
    """Compare the mean and std of submodules' outputs with those printed; give the logits."""
    logits, outputs = taps(network, expected, image)
    for name, output in outputs.items():
        found = (float(output.mean()), float(output.std(correction=0)))
        try:
            assert_same(found, expected[name], float(output.abs().max()))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    return logits
