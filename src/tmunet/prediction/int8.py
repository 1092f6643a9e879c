"""Convolutions in int8 for OpenVINO, by NNCF, from images and without training.

What stays in float32, and why (`benchmarks/int8.py` has the masks of `nuclei-t` for each choice):

- All but the convolutions. The token memory exponentiates sums of gates, and pads them with -inf, which int8 does not have.
- Depthwise convolutions, which are no faster in int8 and have few values for each scale.
- The convolution that reads the image: dark and bright images share no scale.

Scales are symmetric (NNCF's preset PERFORMANCE), which was nearer than with zero points (MIXED).
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tmunet.data.config import Preprocess
from tmunet.data.io.images import read_image
from tmunet.data.preprocess import normalize, prepare, unit
from tmunet.errors import BackendError, InputError, TMUNetError
from tmunet.extras import require

CONVOLUTION = "Convolution"  # a depthwise one is a GroupConvolution
NO_ARITHMETIC = ("Parameter", "Constant", "Result")


@dataclass(frozen=True)
class Calibration:
    """The images from which the scales of int8 are found.

    Attributes:
        images: files, as `tmunet predict` reads them.
        preprocess: of the model, at the size that is used.
    """

    images: Sequence[Path]
    preprocess: Preprocess

    def see(self, image: Path) -> Tensor:
        """What the network sees of an image: (1, C, S, S), float32.

        Raises:
            InputError: the file cannot be read, or has other channels.
        """
        array = read_image(image)
        try:
            pixels = prepare(array, self.preprocess)
        except InputError as error:
            raise InputError(f"{image}: {error}") from error
        return normalize(unit(torch.tensor(pixels).permute(2, 0, 1)[None]), self.preprocess.normalize)


def require_nncf() -> ModuleType:
    """NNCF, which would report its use over the network, and log.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # the switch of its reports; it is read at the import
    nncf = require("nncf", extra="int8")
    nncf.set_log_level(logging.ERROR)
    return nncf


def quantize(model: Path, calibration: Calibration, out: Path) -> None:
    """Write an OpenVINO model with its convolutions in int8.

    Args:
        model: the .xml file of one in float32.
        calibration: the images.
        out: the .xml file to write; the .bin file lies beside it.

    Raises:
        InputError: an image cannot be read.
        BackendError: NNCF cannot do it.
    """
    nncf = require_nncf()
    import openvino

    network = openvino.Core().read_model(model)
    left = left_in_float32(network)

    def see(image: Path) -> Any:
        return calibration.see(image).numpy()

    try:
        with redirect_stdout(sys.stderr):  # its progress bars
            network = nncf.quantize(
                network,
                nncf.Dataset(list(calibration.images), see),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                subset_size=len(calibration.images),
                ignored_scope=nncf.IgnoredScope(names=left, validate=False),
            )
        openvino.save_model(network, out, compress_to_fp16=False)
    except TMUNetError:
        raise
    except Exception as error:  # whatever it stumbles over
        raise BackendError(f"NNCF cannot quantize it: {str(error).strip().splitlines()[0][:200]}") from error


def left_in_float32(network: Any) -> list[str]:
    """Names of the operations that stay in float32."""
    operations = network.get_ordered_ops()
    convolutions = [one.get_friendly_name() for one in operations if one.get_type_name() == CONVOLUTION]
    if len(convolutions) < 2:
        raise BackendError("has no convolution but the one that reads the image: nothing is left for int8")
    others = [one.get_friendly_name() for one in operations if one.get_type_name() not in (CONVOLUTION, *NO_ARITHMETIC)]
    return [convolutions[0], *others]
