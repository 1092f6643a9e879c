"""Memory that training needs for one step, counted from shapes."""

import torch
from torch import Tensor, nn

from tmunet_lab.bench.fake_forward import traced


def activation_memory(
    model: nn.Module, size: tuple[int, int] = (512, 512), batch: int = 1, in_channels: int = 3, bfloat16: bool = False
) -> int:
    """Bytes that the forward pass of a training step keeps for the backward pass.

    Every storage that autograd saves counts once and whole, however many operations or views share it: feature maps, the images,
    and what layers with a backward pass of their own save. Parameters and buffers do not count (their copies in bfloat16 do), nor
    do gradients, the optimizer's state, or what lives only for the length of one operation. Shapes alone are traced, so nothing
    is computed.

    Args:
        model: a network that takes (B, C, H, W).
        size: H, W in pixels.
        batch: B.
        in_channels: C.
        bfloat16: in bfloat16 where autocast allows it.

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
        traced(model, training=True) as trace,
        torch.enable_grad(),
        torch.autocast(trace.device.type, torch.bfloat16, enabled=bfloat16),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        for tensor in trace.tensors.values():
            tensor.requires_grad_(isinstance(tensor, nn.Parameter))
        output = trace(batch, in_channels, size)  # held until the end: a graph that ends frees what it saved
        own = {tensor.untyped_storage()._cdata for tensor in trace.tensors.values()}
        total = sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in own)
        del output
    return total
