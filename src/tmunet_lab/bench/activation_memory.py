"""Activation memory of a training step, counted on fake tensors."""

import torch
from torch import Tensor, nn

from tmunet.fake_forward import fake_forward


def activation_memory(
    model: nn.Module, size: tuple[int, int] = (512, 512), batch: int = 1, in_channels: int = 3, bfloat16: bool = False
) -> int:
    """Count the bytes of activations that the forward pass of a training step saves for the backward pass.

    Every storage that autograd saves counts once and whole, however many operations or views share it: feature maps, images, and
    tensors saved by custom autograd functions. Parameters and buffers do not count (their copies in bfloat16 do), nor do
    gradients, optimizer state and temporary tensors. Nothing is computed.

    Args:
        model: a network that takes (B, C, H, W).
        size: H, W in pixels.
        batch: B.
        in_channels: C.
        bfloat16: under autocast to bfloat16.

    Example:
        A ReLU keeps its result, which is the input of the convolution behind it: one map of 8 channels, 4 bytes a value. The
        first convolution keeps the image.

        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
        >>> activation_memory(network, (16, 16)) == 4 * 16 * 16 * (3 + 8)
        True
    """
    kept: dict[int, Tensor] = {}  # holds the tensors, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with (
        fake_forward(model, training=True) as forward,
        torch.enable_grad(),
        torch.autocast(forward.device.type, torch.bfloat16, enabled=bfloat16),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        for tensor in forward.tensors.values():
            tensor.requires_grad_(isinstance(tensor, nn.Parameter))
        output = forward(batch, in_channels, size)  # held until the end: a graph that ends frees what it saved
        own = {tensor.untyped_storage()._cdata for tensor in forward.tensors.values()}
        total = sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in own)
        del output
    return total
