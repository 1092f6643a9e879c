"""Predict segmentation masks with a trained model, in Python."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from tmunet.data.data_config import MIN_SIZE
from tmunet.device import Device, choose_device
from tmunet.errors import BackendError, InputError, UsageError
from tmunet.extras import require
from tmunet.model import TrainedModel, check_size, load_model, serialize
from tmunet.model_config import packaged_model as packaged_model
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.names import TORCH, BackendName, Precision
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.sessions import PACKAGES, Session, create_session, require_backend
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.pipeline import Image, Pipeline
from tmunet.prediction.pipeline import Prediction as Prediction
from tmunet.prediction.sliding_window import warn_unknown_scale
from tmunet.prediction.tta import NO_TTA, tta_flips
from tmunet.prediction.validate import compare_logits, synthetic_images

DEFAULT_MODEL = "nuclei-t"


class Predictor:
    """Predict masks at the original size of the images.

        mask = Predictor("runs/my-run")("image.png").mask

    Args:
        model: a model folder or run folder, a model in memory, or None for the packaged model `nuclei-t`.
        tile_size: None resizes the whole image to the input size of training, as the paper does. A number of pixels resamples the
            image to the scale of the training images and runs a sliding window with tiles of that side: for images much larger
            than those of training. A model that does not state its scale takes the image at its original one.
        tta: test-time augmentation: average over the flips of the training augmentation; up to four times the work.
        backend: "torch" is PyTorch in eager mode, "compile" is torch.compile, "cudagraph" replays a CUDA graph; "onnx" (ONNX
            Runtime) and "openvino" export the network when the predictor is created, which takes half a minute, and compare it
            with PyTorch in float32.
        device: "auto" takes cuda, then mps, then the CPU.
        precision: "float32"; "tf32" on a CUDA device, with a mantissa of 10 bits; or "bfloat16".

    Raises:
        ModelError: the model cannot be loaded.
        UsageError: the device, precision or backend does not exist, the tile size does not fit, or `tta` is asked of a model
            trained without flips.
        MissingExtraError: the sliding window needs MONAI, or the backend a package, that is not installed.
        BackendError: the backend cannot run the network on this device or in this precision, or computes something else.

    Warns:
        TMUNetWarning: the model does not state the scale or the flips of its training.
    """

    def __init__(
        self,
        model: TrainedModel | Path | str | None = None,
        tile_size: int | None = None,
        tta: bool = False,
        backend: BackendName = TORCH,
        device: Device = "auto",
        precision: Precision = "float32",
    ) -> None:
        if tile_size is not None and tile_size < MIN_SIZE:
            raise UsageError(
                f"Expected `tile_size` to be at least {MIN_SIZE} pixels, but got {tile_size}.", code="value"
            )
        if tile_size is not None:
            require("monai.inferers", extra="monai")  # before the first image, not at it
        if precision not in get_args(Precision):
            raise UsageError(
                f"Expected `precision` to be one of {', '.join(get_args(Precision))}, but got {precision!r}.",
                code="value",
            )
        trained = model if isinstance(model, TrainedModel) else load_model(DEFAULT_MODEL if model is None else model)
        self._side = tile_size or trained.config.preprocess.size
        check_size(trained.network, self._side, "tile_size" if tile_size else "preprocess.size")
        self._flips = tta_flips(trained.config.turns) if tta else NO_TTA
        if tile_size is not None:
            warn_unknown_scale(trained.config.scale)
        self.fingerprint = trained.fingerprint
        self.config, self.tile_size, self.tta = trained.config, tile_size, tta
        self.backend, self.precision = backend, precision
        self.device = choose_device(device)
        self.network = trained.network.eval().to(self.device)
        self.pipeline = self._create_pipeline()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle for other processes, which create the session anew: a running one cannot be copied."""
        return {name: value for name, value in self.__dict__.items() if name != "pipeline"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.pipeline = self._create_pipeline()

    def __call__(self, image: Image) -> Prediction:
        """Predict one image.

        Args:
            image: a file, or an array (H, W) or (H, W, C) of 8 or 16 bits.

        Raises:
            InputError: the file cannot be read, or the array is not an image.

        Warns:
            TMUNetWarning: domain shift: its scale or intensity range differs from those of the training images.
        """
        return self.predict([image])[0]

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Predict several images; without a sliding window they make one batch, whatever their sizes.

        Raises:
            InputError: `images` is one image and no sequence of them, or as for one image.

        Warns:
            TMUNetWarning: once about all images with a domain shift.
        """
        if isinstance(images, np.ndarray | str | Path):
            raise InputError(
                "Expected a sequence of images, but got one; give [image], or call the predictor with it.", code="type"
            )
        loaded = [self.pipeline.load(image) for image in images]
        shift = DomainShift(self.config, self.tile_size)
        for number, (image, pixels) in enumerate(zip(images, loaded, strict=True), start=1):
            shift.add(f"image {number}" if isinstance(image, np.ndarray) else str(image), pixels)
        shift.warn()
        return self.pipeline(loaded)

    def weights_sha256(self) -> str:
        """Compute the SHA-256 of the weights, equal to that of `model.safetensors`."""
        return hashlib.sha256(serialize(self.network)).hexdigest()

    def _create_pipeline(self) -> Pipeline:
        return Pipeline(self.config, self._create_session(), self.device, self.tile_size, self._flips)

    def _create_session(self) -> Session:
        example = torch.zeros(1, self.config.preprocess.channels, self._side, self._side, device=self.device)
        threads = torch.get_num_threads()
        if self.backend not in PACKAGES:
            return create_session(self.backend, self.network, example, threads, self.precision)
        require_backend(self.backend)
        try:
            with tempfile.TemporaryDirectory() as folder:  # the runtime has read the file when this ends
                file = Path(folder) / "network.onnx"
                write_onnx(optimize_for_inference(self.network), example.cpu(), file)
                session = create_session(self.backend, self.network, example, threads, self.precision, file)
            if self.precision == "float32":
                reference = create_session(TORCH, self.network, example, threads, "float32")
                compare_logits(session, reference, synthetic_images(1, *example.shape[1:]))
        except BackendError as error:
            raise BackendError(
                f"{self.config.model} with the backend {self.backend}: {error}. Use the backend {TORCH}.",
                code=error.code,
            ) from error
        return session
