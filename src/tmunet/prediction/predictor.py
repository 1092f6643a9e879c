"""Predict segmentation masks with a trained model, in Python."""

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from tmunet.calibration import Calibration
from tmunet.data.data_config import MIN_SIZE
from tmunet.device import Device, choose_device
from tmunet.errors import BackendError, InputError, UsageError
from tmunet.extras import require
from tmunet.model import TrainedModel, check_size, load_model, serialize
from tmunet.model_config import OperatingPoint
from tmunet.model_config import packaged_model as packaged_model
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.export_cache import export_key, find_export, keep_export
from tmunet.prediction.backends.names import TORCH, BackendName, Keep, Precision
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.sessions import PACKAGES, Session, create_session, require_backend
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.ensemble import Ensemble, check_members, merge_fingerprints
from tmunet.prediction.pipeline import Image, Pipeline
from tmunet.prediction.pipeline import Prediction as Prediction
from tmunet.prediction.postprocess import Postprocess, choose_threshold
from tmunet.prediction.sliding_window import warn_unknown_scale
from tmunet.prediction.tta import NO_TTA, tta_flips
from tmunet.prediction.validate import compare_logits, synthetic_images

DEFAULT_MODEL = "nuclei-t"
Model = TrainedModel | Path | str


class Predictor:
    """Predict masks at the original size of the images.

        mask = Predictor("runs/my-run")("image.png").mask

    Args:
        model: a model folder or run folder, a model in memory, or None for the packaged model `nuclei-t`. Several models of the
            same classes and channels are averaged: the mean of their probabilities at the size of the image. `config`, `network`
            and warnings about domain shift are those of the first.
        tile_size: None resizes the whole image to the input size of training, as the paper does. A number of pixels resamples the
            image to the scale of the training images and runs a sliding window with tiles of that side: for images much larger
            than those of training. A model that does not state its scale takes the image at its original one.
        tta: test-time augmentation: average over the flips of the training augmentation; up to four times the work.
        backend: "torch" is PyTorch in eager mode, "compile" is torch.compile, "cudagraph" replays a CUDA graph; "onnx" (ONNX
            Runtime) and "openvino" export the network when the first predictor is created, which takes half a minute, keep it in
            the user's cache folder (`TMUNET_CACHE`), and compare it with PyTorch in float32 each time.
        device: "auto" takes cuda, then mps, then the CPU.
        precision: "float32"; "tf32" on a CUDA device, with a mantissa of 10 bits; or "bfloat16".
        threshold: foreground probability above which a pixel is foreground, for two classes; None takes the operating point that
            is stored with the model, and 0.5 without one or where several models have different ones.
        keep: "largest" keeps the largest object of each class; see `tmunet.prediction.postprocess.Postprocess`.
        fill_holes: fill the holes of objects.
        min_size: remove objects of fewer pixels.

    Attributes:
        postprocess: threshold and cleaning that are used.
        threshold_source: where the threshold comes from, for people; empty for more than two classes.

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
        model: Model | Sequence[Model] | None = None,
        tile_size: int | None = None,
        tta: bool = False,
        backend: BackendName = TORCH,
        device: Device = "auto",
        precision: Precision = "float32",
        threshold: float | None = None,
        keep: Keep = "all",
        fill_holes: bool = False,
        min_size: int = 0,
    ) -> None:
        if model is None or isinstance(model, TrainedModel | Path | str):
            model = [DEFAULT_MODEL if model is None else model]
        elif not model:
            raise UsageError("Expected a model, or several to average, but got an empty list.", code="ensemble")
        first, *others = model
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
        trained = first if isinstance(first, TrainedModel) else load_model(first)
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
        self.name = "model in memory" if isinstance(first, TrainedModel) else str(first)
        self.others = [Predictor(one, tile_size, tta, backend, device, precision) for one in others]
        configs = [one.config for one in (self, *self.others)]
        check_members(configs)
        if self.others:
            self.fingerprint = merge_fingerprints([one.fingerprint for one in (self, *self.others)])
        value, self.threshold_source = choose_threshold(
            threshold, [config.operating_point for config in configs], len(self.config.classes)
        )
        self.postprocess = Postprocess(value, keep, fill_holes, min_size)
        self.pipeline = self._create_pipeline()

    def __repr__(self) -> str:
        if self.others:
            names = ", ".join(repr(one.name) for one in (self, *self.others))
            return f"Predictor([{names}], mean of {1 + len(self.others)} models, classes: {', '.join(self.config.classes)})"
        return f"Predictor({self.name!r}, network: {self.config.model}, classes: {', '.join(self.config.classes)})"

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

    def use_operating_point(self, point: OperatingPoint) -> None:
        """Take another threshold from here on, as if it had been stored with the model."""
        self.config = replace(self.config, operating_point=point)
        self.postprocess = replace(self.postprocess, threshold=point.threshold)
        self.threshold_source = str(point)
        if isinstance(self.pipeline, Pipeline):
            self.pipeline = replace(self.pipeline, config=self.config, mask_of=self.postprocess)

    def use_calibration(self, calibration: Calibration | None) -> None:
        """Take another calibration from here on, as if it had been stored with the model."""
        self.config = replace(self.config, calibration=calibration)
        if isinstance(self.pipeline, Pipeline):
            self.pipeline = replace(self.pipeline, config=self.config)

    def missing_calibration(self) -> str | None:
        """Say why no Dice is expected of masks though the model was calibrated; None if it is, or was not calibrated at all."""
        calibrations = [one.config.calibration for one in (self, *self.others)]
        fitted = calibrations[0]
        if self.others:
            if not any(calibrations):
                return None
            return (
                "the models were calibrated each by itself, and not their average. Their agreement is in the column agreement; "
                "below 0.8 it is flagged."
            )
        if fitted is None or isinstance(self.pipeline, Ensemble) or self.pipeline.is_calibrated:
            return None
        own = (self.postprocess.threshold, self.tile_size, self.tta)
        names = ("threshold", "tile_size", "tta")
        then = (fitted.threshold, fitted.tile_size, fitted.tta)
        changed = [f"{name} {b} instead of {a}" for name, a, b in zip(names, then, own, strict=True) if a != b]
        return (
            f"the confidence was calibrated with other settings ({'; '.join(changed)}). Calibrate with these: tmunet evaluate "
            "--calibrate"
        )

    def weights_sha256(self) -> str:
        """Compute the SHA-256 of the weights, equal to that of `model.safetensors`; of several models, of their hashes."""
        own = hashlib.sha256(serialize(self.network)).hexdigest()
        if not self.others:
            return own
        return hashlib.sha256("\n".join([own, *(one.weights_sha256() for one in self.others)]).encode()).hexdigest()

    def _create_pipeline(self) -> Pipeline | Ensemble:
        own = Pipeline(self.config, self._create_session(), self.device, self.tile_size, self._flips, self.postprocess)
        if not self.others:
            return own
        members = [one.pipeline for one in self.others if isinstance(one.pipeline, Pipeline)]
        return Ensemble((own, *members), self.postprocess)

    def _create_session(self) -> Session:
        example = torch.zeros(1, self.config.preprocess.channels, self._side, self._side, device=self.device)
        threads = torch.get_num_threads()
        if self.backend not in PACKAGES:
            return create_session(self.backend, self.network, example, threads, self.precision)
        require_backend(self.backend)
        key = export_key(self.network, self.config, self._side)
        if (kept := find_export(key)) is not None:
            with suppress(BackendError, OSError):  # such as a file that was deleted since; it is exported anew
                return self._open_export(kept, example)
        try:
            with tempfile.TemporaryDirectory() as folder:  # the runtime has read the file when this ends
                file = Path(folder) / "network.onnx"
                write_onnx(optimize_for_inference(self.network), example.cpu(), file)
                session = self._open_export(file, example)
                keep_export(key, file)
        except BackendError as error:
            raise BackendError(
                f"{self.config.model} with the backend {self.backend}: {error}. Use the backend {TORCH}.",
                code=error.code,
            ) from error
        return session

    def _open_export(self, file: Path, example: torch.Tensor) -> Session:
        """Create a session of an exported file; in float32 it is compared with PyTorch, also if the file was kept."""
        threads = torch.get_num_threads()
        session = create_session(self.backend, self.network, example, threads, self.precision, file)
        if self.precision == "float32":
            reference = create_session(TORCH, self.network, example, threads, "float32")
            compare_logits(session, reference, synthetic_images(1, *example.shape[1:]))
        return session
