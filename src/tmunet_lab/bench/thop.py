"""MACs as thop counts them, by hooks on modules: the number that most papers print as "FLOPs"."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.fake_forward import fake_forward

Rule = Callable[[Any, Tensor, Tensor], int]  # module, its input, its output -> operations


def _convolution(module: Any, x: Tensor, y: Tensor) -> int:
    return y.numel() * (x.shape[1] // int(module.groups)) * int(module.weight[0, 0].numel())


def _linear(module: Any, _: Tensor, y: Tensor) -> int:
    return y.numel() * int(module.in_features)


def _normalization(module: Any, x: Tensor, _: Tensor) -> int:
    return (4 if module.weight is not None else 2) * x.numel()


def _upsampling(module: Any, _: Tensor, y: Tensor) -> int:
    return {"nearest": 1, "bilinear": 11}.get(module.mode, 0) * y.numel()


def _element_wise(_module: Any, _: Tensor, y: Tensor) -> int:
    return y.numel()


RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d), _convolution),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.LayerNorm), _normalization),
    nn.Linear: _linear,
    nn.Upsample: _upsampling,
    nn.AvgPool2d: _element_wise,
    nn.PReLU: _element_wise,
}
"""Operations of one call of a module, by its exact class."""


def count_macs_thop(model: nn.Module, size: tuple[int, int] = (512, 512), in_channels: int = 3) -> int:
    """Count the operations of one forward pass on one image in eval mode, by the rules of thop 0.1.1.

    - Convolutions, transposed ones too: output elements x input channels of a group x kernel area. (A transposed convolution of
      2 x 2 pixels with stride 2 is thereby counted four times.)
    - Linear layers: output elements x input features.
    - BatchNorm, LayerNorm, InstanceNorm: 4 x input elements with gain and bias, 2 x without.
    - `nn.Upsample`: output elements, x 11 if bilinear; `nn.AvgPool2d`, `nn.PReLU`: output elements.
    - All else is free: matrix products, functions, parameters used directly, other activations, and every *subclass* of these.

    So an attention or an mLSTM costs nothing but its linear layers, and two ways to write one network have two costs.
    `count_macs` has neither fault. Unlike the tool, a module that is registered under two names counts once.

    Args:
        model: a network that takes (B, C, H, W).
        size: H, W in pixels.
        in_channels: C.

    Example:
        A 3x3 convolution from 3 to 8 channels: 8 * 16 * 16 output elements of 27 products each.

        >>> count_macs_thop(nn.Conv2d(3, 8, 3, padding=1), (16, 16)) == 8 * 16 * 16 * 27
        True
        >>> count_macs_thop(type("MyConv", (nn.Conv2d,), {})(3, 8, 3, padding=1), (16, 16))
        0
    """
    with hooked(model) as counts, torch.no_grad(), fake_forward(model) as forward:
        forward(1, in_channels, size)
    return sum(counts)


@contextmanager
def hooked(model: nn.Module) -> Iterator[list[int]]:
    """Collect the thop count of each module call within the context."""
    counts: list[int] = []

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(RULES[type(module)](module, inputs[0], output))

    handles = [module.register_forward_hook(count) for module in model.modules() if type(module) in RULES]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()
