"""The form of a network for inference: each BatchNorm behind a convolution becomes part of it.

In inference a BatchNorm is y = (x - mean) / sqrt(variance + eps) * weight + bias with constants for each channel, and so is a
factor on the convolution's kernel and a bias. A pass over the whole map is saved each time.
"""

from copy import deepcopy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module) -> nn.Module:
    """A copy in eval mode that computes the same, up to rounding; the network itself is left as it was.

    Only layers that follow each other in an `nn.Sequential` are folded: of others the order is not known.
    """
    network = deepcopy(network).eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    return network


def _fold(layers: nn.Sequential) -> None:
    for (name, layer), (next_name, norm) in pairwise(list(layers.named_children())):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            layers.add_module(name, fuse_conv_bn_eval(layer, norm, transposed))
            layers.add_module(next_name, nn.Identity())
