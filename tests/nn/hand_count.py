"""Parameters and multiply-accumulates of TM-UNet by hand, from the shapes in the paper."""

from math import ceil

import torch
from torch import Tensor, nn

from tmunet.nn.tmunet import TMUNet
from tmunet.nn.xlstm import MLSTMCell

GROUP = 64  # chunks whose memories are joined by one triangular product


def parameters(widths: tuple[int, ...], in_channels: int = 3, num_classes: int = 1) -> int:
    """Learnable values of the network with separable refinement and all parts of the token memory."""
    C1, C2, C3, C4, C5 = widths
    encoder = _convolution(in_channels, C1) + _convolution(C1, C2) + _convolution(C2, C3)
    tokens = _convolution(C3, C4) + C4 + _memory(C4) + _convolution(C4, C5) + C5 + _memory(C5)  # these have a bias
    deep = _separable(C5 + C4, C4) + _memory(C4) + _separable(C4 + C3, C3) + _memory(C3)
    fine = _separable(C3 + C2, C2) + _separable(C2 + C1, C1) + _separable(C1, C1)
    return encoder + tokens + deep + fine + num_classes * (C1 + 1)


def _convolution(a: int, b: int) -> int:
    return 9 * a * b + 2 * b  # 3x3 and a normalization


def _separable(a: int, b: int) -> int:
    return 9 * a + 2 * a + a * b + 2 * b


def _memory(d: int, heads: int = 4) -> int:
    """An MSTM block: DWConv, LayerNorm, two linear layers, two mLSTMs, a linear layer, LayerNorm."""
    one_direction = 3 * 4 * d + 2 * heads * (d + 1) + d * (d + 1) + 2 * d  # q, k, v; i, f; output gate; norm
    return 11 * d + 2 * d + 2 * d * (d + 1) + 2 * one_direction + d * (d + 1) + 2 * d


def macs(network: TMUNet, size: tuple[int, int]) -> int:
    """Multiply-accumulates of one image: convolutions and linear layers as they run, the mLSTM by its formula."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        elif isinstance(module, MLSTMCell):
            _, T, d = inputs[0].shape
            total += _mlstm(T, d, module.heads, module.chunk_size)

    handles = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, network.config.in_channels, *size))
    for handle in handles:
        handle.remove()
    return total


def _mlstm(T: int, d: int, heads: int, S: int) -> int:
    """One direction but for its linear layers: q, k, v (blocks of 4 channels) and the chunkwise form of each head."""
    S, D = min(S, T), d // heads
    memory = D * (D + 1)  # a memory and its normalizer
    chunks = ceil(T / S)
    inside = S * S * (D + D + 1)  # q k^T, then the weights times values and ones
    between = 2 * S * memory  # what the chunk adds, what its tokens read
    head = chunks * (inside + between) + _joins(chunks) * memory
    return T * d * 3 * 4 + heads * head


def _joins(chunks: int) -> int:
    """Entries of the triangular products that carry the memory over the chunks."""
    if chunks == 1:
        return 0
    if chunks <= GROUP:
        return chunks**2
    groups = ceil(chunks / GROUP)
    return groups * GROUP**2 + _joins(groups)
