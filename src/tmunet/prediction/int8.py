"""Quantize the convolutions of an OpenVINO model to int8 with NNCF: post-training quantization from calibration images.

These stay in float32 (`benchmarks/int8.py` compares the masks of `nuclei-t` for each choice):

- All operations but convolutions. The token memory exponentiates sums of gates, and pads them with -inf, which int8 lacks.
- Depthwise convolutions, which are no faster in int8 and have few values for each scale.
- The first convolution: dark and bright images share no quantization scale.

Quantization is symmetric (NNCF's preset PERFORMANCE), which was more accurate than with zero points (MIXED).
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from tmunet.errors import BackendError, TMUNetError
from tmunet.extras import require
from tmunet.prediction.pipeline import Pipeline

CONVOLUTION = "Convolution"  # a depthwise one is a GroupConvolution
NO_ARITHMETIC = ("Parameter", "Constant", "Result")


def require_nncf() -> ModuleType:
    """Import NNCF with its telemetry and its log switched off.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # switches telemetry off; read at the import
    nncf = require("nncf", extra="int8")
    nncf.set_log_level(logging.ERROR)
    return nncf


def quantize(model: Path, pipeline: Pipeline, images: Sequence[Path], out: Path) -> None:
    """Quantize the convolutions of an OpenVINO model to int8.

    Args:
        model: the .xml file of the float32 model.
        pipeline: preprocesses the calibration images as for prediction.
        images: calibration images.
        out: the .xml file to write; its .bin file is written beside it.

    Raises:
        InputError: an image cannot be read.
        BackendError: NNCF cannot quantize the model.
    """
    nncf = require_nncf()
    import openvino

    network = openvino.Core().read_model(model)
    kept = left_in_float32(network)

    def preprocess(image: Path) -> Any:
        return pipeline.preprocess(pipeline.load(image)).numpy()

    try:
        with redirect_stdout(sys.stderr):  # its progress bars
            network = nncf.quantize(
                network,
                nncf.Dataset(list(images), preprocess),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                subset_size=len(images),
                ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
            )
        openvino.save_model(network, out, compress_to_fp16=False)
    except TMUNetError:
        raise
    except Exception as error:  # NNCF raises any type
        raise BackendError(
            f"NNCF cannot quantize it: {str(error).strip().splitlines()[0][:200]}", code="not-quantizable"
        ) from error


def left_in_float32(network: Any) -> list[str]:
    """List the names of the operations that stay in float32."""
    operations = network.get_ordered_ops()
    convolutions = [one.get_friendly_name() for one in operations if one.get_type_name() == CONVOLUTION]
    if len(convolutions) < 2:
        raise BackendError("has no convolution but the first: nothing is left for int8", code="not-quantizable")
    others = [one.get_friendly_name() for one in operations if one.get_type_name() not in (CONVOLUTION, *NO_ARITHMETIC)]
    return [convolutions[0], *others]
