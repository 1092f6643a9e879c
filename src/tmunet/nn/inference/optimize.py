"""Optimize a network for inference: fold BatchNorm into convolutions, and replace modules by faster ones of the same function.

In inference BatchNorm is y = (x - mean) / sqrt(variance + eps) * weight + bias with constants for each channel, and so is a
factor on the kernel of the convolution before it and a bias.
"""

from copy import deepcopy
from functools import singledispatch
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tmunet.nn.inference.fused_axial import InferenceAxialConv
from tmunet.nn.inference.fused_conv_pool import InferenceConvPoolStage
from tmunet.nn.inference.fused_xlstm import InferenceXLSTM
from tmunet.nn.inference.tiled_tmunet import InferenceTMUNet
from tmunet.nn.layers import BLOCK
from tmunet.nn.tmunet import ConvPoolStage, TMUNet
from tmunet.nn.tmunet2 import AxialConv
from tmunet.nn.xlstm import BidirectionalXLSTM


def optimize_for_inference(network: nn.Module) -> nn.Module:
    """Return a copy in eval mode, without gradients, that computes the same up to rounding, faster.

    `Predictor` runs this form by itself. BatchNorm is folded only into a convolution right before it in an `nn.Sequential`:
    elsewhere the order of layers is unknown. A TM-UNet runs its fine stages tile by tile, in channels-last memory format.

        network = tmunet.optimize_for_inference(tmunet.create_model("tmunet_s"))
        with torch.inference_mode():
            logits = network(images)

    Args:
        network: images (B, C, H, W) -> logits (B, K, H, W), as from `create_model` or `load_model`; it is not changed.
    """
    return inference_module(deepcopy(network).eval().requires_grad_(False))


@singledispatch
def inference_module(module: nn.Module) -> nn.Module:
    """Return the module for inference of the same function; register a type of module to replace it.

    The module may be changed in place. By default its children are replaced.
    """
    for name, child in list(module.named_children()):
        module.add_module(name, inference_module(child))
    return module


def _fold_batch_norms(layers: nn.Sequential) -> None:
    for (name, layer), (next_name, norm) in pairwise(list(layers.named_children())):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            layers.add_module(name, fuse_conv_bn_eval(layer, norm, transposed))
            layers.add_module(next_name, nn.Identity())


_replace_children = inference_module.dispatch(nn.Module)


@inference_module.register
def _(layers: nn.Sequential) -> nn.Module:
    _fold_batch_norms(layers)
    return _replace_children(layers)


@inference_module.register
def _(stage: ConvPoolStage) -> nn.Module:
    _fold_batch_norms(stage)
    return InferenceConvPoolStage(stage)


@inference_module.register
def _(layer: BidirectionalXLSTM) -> nn.Module:
    whole_blocks = layer.norm.normalized_shape[0] // layer.forward_mlstm.heads % BLOCK == 0
    return InferenceXLSTM(layer) if whole_blocks else layer


@inference_module.register
def _(layer: AxialConv) -> nn.Module:
    return InferenceAxialConv(layer)


@inference_module.register
def _(network: TMUNet) -> nn.Module:
    _replace_children(network)
    return InferenceTMUNet(network)
