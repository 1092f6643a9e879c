"""The networks by name."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tmunet.config import from_mapping, suggest, to_dict
from tmunet.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

# name -> the module and class of the network; the module's SIZES has the configuration behind the name
_NETWORKS = {
    "tmunet_t": ("tmunet.nn.tmunet", "TMUNet"),
    "tmunet_s": ("tmunet.nn.tmunet", "TMUNet"),
    "tmunet_b": ("tmunet.nn.tmunet", "TMUNet"),
    "unet": ("tmunet_lab.baselines.unet", "UNet"),
    "unet_classic": ("tmunet_lab.baselines.unet", "UNet"),
    "nnunet": ("tmunet_lab.baselines.plain_conv_unet", "NNUNet"),
    "ulite": ("tmunet_lab.baselines.ulite", "ULite"),
    "tinyunet": ("tmunet_lab.baselines.tinyunet", "TinyUNet"),
    "rolling_unet_s": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "rolling_unet_m": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "rolling_unet_l": ("tmunet_lab.baselines.rolling_unet", "RollingUNet"),
    "zigrir": ("tmunet_lab.baselines.zigrir", "ZigRiR"),
    "tmunet_released_t": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "tmunet_released_s": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "tmunet_released_b": ("tmunet_lab.baselines.tmunet_released", "TMUNetReleased"),
    "monai_basicunet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
    "monai_attentionunet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
    "monai_segresnet": ("tmunet_lab.baselines.monai_networks", "MonaiNetwork"),
}


def list_models() -> tuple[str, ...]:
    """The names that `create_model` takes."""
    return tuple(_NETWORKS)


def create_model(
    name: str, in_channels: int = 3, num_classes: int = 1, model_args: Mapping[str, Any] | None = None
) -> "nn.Module":
    """A network with fresh weights; it maps images (B, in_channels, H, W) to logits (B, num_classes, H, W).

    Args:
        name: one of `list_models()`.
        in_channels: channels of the image.
        num_classes: 1 for binary segmentation (sigmoid), K > 1 for K classes, background included (softmax).
        model_args: fields of the network's configuration that differ from the named size, nested or dotted, such as
            ``{"refine": "full", "mstm": {"layers": 2}}`` or ``{"mstm.layers": 2}``.

    Raises:
        UsageError: there is no such network or option, or a value does not fit.

    >>> import torch
    >>> create_model("tmunet_t", num_classes=4)(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 4, 64, 48])
    """
    if name not in _NETWORKS:
        raise UsageError(f"There is no network {name!r}.{suggest(name, _NETWORKS)}")
    if in_channels < 1 or num_classes < 1:
        raise UsageError(f"Expected at least 1 channel and 1 class, but got {in_channels} and {num_classes}.")
    module_name, class_name = _NETWORKS[name]
    module = importlib.import_module(module_name)
    default = module.SIZES[name]
    settings = {**to_dict(default), "in_channels": in_channels, "num_classes": num_classes}
    config = from_mapping(type(default), _merged(settings, model_args or {}), where=f"model_args of {name}")
    try:
        network: nn.Module = getattr(module, class_name)(config)
    except ValueError as error:  # fields that do not fit each other, such as widths and heads
        raise UsageError(f"model_args of {name}: {error}") from None
    return network


def _merged(settings: Mapping[str, Any], model_args: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for key, value in model_args.items():
        first, _, rest = key.partition(".")
        nested = {rest: value} if rest else value
        inside = merged.get(first)
        merged[first] = (
            _merged(inside, nested) if isinstance(inside, Mapping) and isinstance(nested, Mapping) else nested
        )
    return merged
