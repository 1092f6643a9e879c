"""The form of a network for inference: the same function in fewer passes over its maps.

In inference a BatchNorm is y = (x - mean) / sqrt(variance + eps) * weight + bias with constants for each channel, and so is a
factor on the kernel of the convolution before it and a bias. A module that has a form of its own for inference says so by a
method `inference_form`, which gives a module that computes the same up to rounding.
"""

from copy import deepcopy
from itertools import pairwise
from typing import Protocol, runtime_checkable

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@runtime_checkable
class HasInferenceForm(Protocol):
    """A module that knows a faster form of itself for inference."""

    def inference_form(self) -> nn.Module:
        """A module that computes the same up to rounding, without a gradient."""


def optimize_for_inference(network: nn.Module) -> nn.Module:
    """A copy in eval mode, without gradients, that computes the same up to rounding; the network itself is left as it was.

    Only layers that follow each other in an `nn.Sequential` are folded: of others the order is not known.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            _fold(module)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, HasInferenceForm):
                setattr(module, name, child.inference_form())
    return network.inference_form() if isinstance(network, HasInferenceForm) else network


def _fold(layers: nn.Sequential) -> None:
    for (name, layer), (next_name, norm) in pairwise(list(layers.named_children())):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            layers.add_module(name, fuse_conv_bn_eval(layer, norm, transposed))
            layers.add_module(next_name, nn.Identity())
