"""From an image to its mask, with a trained model."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tmunet.data.config import MIN_SIZE
from tmunet.data.io.images import read_image, to_channels
from tmunet.data.preprocess import normalize, prepare, unit
from tmunet.device import Device, choose_device
from tmunet.errors import BackendError, InputError, ModelError, UsageError
from tmunet.extras import require
from tmunet.model import TrainedModel, check_size, load_model, serialize
from tmunet.model_config import packaged_model as packaged_model
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.names import TORCH, BackendName, Precision
from tmunet.prediction.backends.onnx_graph import write_onnx
from tmunet.prediction.backends.sessions import PACKAGES, Run, require_backend, start
from tmunet.prediction.domain_shift import Unlike
from tmunet.prediction.postprocess import labels, probabilities
from tmunet.prediction.scale import Size, at_training_scale, check_window_size, warn_of_window
from tmunet.prediction.tiling import sliding_window
from tmunet.prediction.tta import NONE, flips_of
from tmunet.prediction.validate import compare_logits, synthetic_images

DEFAULT_MODEL = "nuclei-t"


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        mask: (H, W) labels 0..K-1, uint8.
        probability: (H, W) of the foreground for two classes, (K, H, W) of each class for more, float32.
        classes: names of the labels.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    classes: tuple[str, ...]


class Predictor:
    """Predicts masks at the size of the images.

        mask = Predictor("runs/my-run")("image.png").mask

    Args:
        model: a model or run folder, a model in memory, or None for `nuclei-t`, which comes with the package.
        tile_size: None resizes the whole image to the size of training (as the paper does); a number of pixels brings the image to
            the scale of training, slides tiles of that side over it and blends the overlaps: for images much larger than
            those of training. A model that does not say its scale sees the image at the image's own.
        tta: average over the image and its tta, of those that training images went through; up to four times the work.
        backend: what runs the network: "torch" is PyTorch as it is, "compile" its compiler, "cudagraph" starts all kernels of a
            CUDA device together; "onnx" and "openvino" export the network when the predictor is made, which takes half a minute,
            and check it against PyTorch in float32.
        device: "auto" takes cuda, then mps, then the CPU.
        precision: "float32"; "tf32" on a CUDA device, which rounds what is multiplied to 10 bits; or "bfloat16" where the device
            is fast at it.

    Raises:
        ModelError: the model cannot be loaded.
        UsageError: the device is not there, the sliding window is too small, there is no such precision or backend, or `tta` is asked of
            a model that was trained without.
        MissingExtraError: a sliding window needs MONAI, or the backend a package, which is not installed.
        BackendError: the backend cannot run the network on this device or in this precision, or computes something else.

    Warns:
        TMUNetWarning: the model does not say what a sliding window or tta need to know of its training.
    """

    def __init__(
        self,
        model: TrainedModel | Path | str | None = None,
        *,
        tile_size: int | None = None,
        tta: bool = False,
        backend: BackendName = TORCH,
        device: Device = "auto",
        precision: Precision = "float32",
    ) -> None:
        if tile_size is not None and tile_size < MIN_SIZE:
            raise UsageError(f"Expected `tile_size` to be at least {MIN_SIZE} pixels, but got {tile_size}.")
        if tile_size is not None:
            require("monai.inferers", extra="monai")  # before the first image, not at it
        if precision not in get_args(Precision):
            raise UsageError(
                f"Expected `precision` to be one of {', '.join(get_args(Precision))}, but got {precision!r}."
            )
        trained = model if isinstance(model, TrainedModel) else load_model(DEFAULT_MODEL if model is None else model)
        check_size(
            trained.network,
            tile_size or trained.config.preprocess.size,
            "tile_size" if tile_size else "preprocess.size",
        )
        self._axes = flips_of(trained.config.turns) if tta else NONE
        if tile_size is not None:
            warn_of_window(trained.config.scale)
        self.seen = trained.seen
        self.config, self.tile_size, self.tta = trained.config, tile_size, tta
        self.backend, self.precision = backend, precision
        self.device = choose_device(device)
        self.network = trained.network.eval().to(self.device)
        self._run = self._start(tile_size or trained.config.preprocess.size)

    def __getstate__(self) -> dict[str, Any]:
        """For other processes, which start the backend anew: a running one cannot be copied."""
        return {name: value for name, value in self.__dict__.items() if name != "_run"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._run = self._start(self.tile_size or self.config.preprocess.size)

    def _start(self, side: int) -> Run:
        """The network as its backend runs it, for images of this side."""
        images = torch.zeros(1, self.config.preprocess.channels, side, side, device=self.device)
        if self.backend not in PACKAGES:
            return start(self.backend, self.network, images, torch.get_num_threads(), self.precision)
        require_backend(self.backend)
        try:
            return self._export(images)
        except BackendError as error:
            raise BackendError(
                f"{self.config.network} with the backend {self.backend}: {error}. Use the backend {TORCH}."
            ) from error

    def _export(self, images: Tensor) -> Run:
        with tempfile.TemporaryDirectory() as folder:  # the runtime has read the file when this ends
            file = Path(folder) / "network.onnx"
            write_onnx(optimize_for_inference(self.network), images.cpu(), file)
            run = start(self.backend, self.network, images, torch.get_num_threads(), self.precision, file)
        if self.precision == "float32":
            reference = start(TORCH, self.network, images, torch.get_num_threads(), "float32")
            compare_logits(run, reference, synthetic_images(1, *images.shape[1:]))
        return run

    def __call__(self, image: NDArray[Any] | Path | str) -> Prediction:
        """Predict one image.

        Args:
            image: a file, or an array (H, W) or (H, W, C) of 8 or 16 bits.

        Raises:
            InputError: the file cannot be read, or the array is not an image.

        Warns:
            TMUNetWarning: it is unlike the images of training, by its scale or its values.
        """
        return self.predict([image])[0]

    def predict(self, images: Sequence[NDArray[Any] | Path | str]) -> list[Prediction]:
        """Predict several images; without a sliding window they make one batch, whatever their sizes.

        Raises:
            InputError: `images` is one image and no sequence of them, or as for one image.

        Warns:
            TMUNetWarning: once, of all that are unlike the images of training.
        """
        if isinstance(images, np.ndarray | str | Path):
            raise InputError("Expected a sequence of images, but got one; give [image], or call the predictor with it.")
        prepared = [self.prepare(image) for image in images]
        unlike = Unlike(self.config, self.tile_size)
        for number, (image, array) in enumerate(zip(images, prepared, strict=True), start=1):
            unlike.add(f"image {number}" if isinstance(image, np.ndarray) else str(image), array)
        unlike.tell()
        return self.predict_prepared(prepared)

    def predict_prepared(
        self, images: Sequence[NDArray[Any]], own_sizes: Sequence[Size] | None = None
    ) -> list[Prediction]:
        """Predict images that `prepare` gave, without a word about what is unlike training.

        Args:
            images: (H, W, C) of the model's channels.
            own_sizes: heights and widths of the images themselves, where the arrays were resized; a sliding window needs them.
        """
        if self.tile_size is not None:
            sizes = [(image.shape[0], image.shape[1]) for image in images] if own_sizes is None else own_sizes
            return [
                self._decide(self._by_window(image, size, self.tile_size), image.shape[:2])
                for image, size in zip(images, sizes, strict=True)
            ]
        if not images:
            return []
        # each image by itself: 8 and 16 bits stacked as integers would share one white
        batch = torch.cat([self._to_network(prepare(image, self.config.preprocess)) for image in images])
        probability = self._probabilities(batch)  # (B, K, S, S)
        return [self._decide(probability[b : b + 1], image.shape[:2]) for b, image in enumerate(images)]

    def prepare(self, image: NDArray[Any] | Path | str) -> NDArray[Any]:
        """The image as an array (H, W, C) of the model's channels, at its own size; see `__call__`."""
        if not isinstance(image, np.ndarray | str | PathLike):
            raise InputError(
                f"Expected a file or a numpy array, but got {type(image).__name__}; of a picture in Pillow give "
                "np.asarray(picture.convert('RGB'))."
            )
        array = image if isinstance(image, np.ndarray) else read_image(Path(image))
        if array.ndim not in (2, 3) or array.dtype not in (np.uint8, np.uint16) or 0 in array.shape:
            raise InputError(
                "Expected an image array of shape (H, W) or (H, W, C) and type uint8 or uint16, "
                f"but got {array.shape} and {array.dtype}."
            )
        if array.ndim == 2:
            array = array[..., None]
        if array.shape[2] == 4 and self.config.preprocess.channels in (1, 3):
            array = array[..., :3]  # RGBA, as from files: the alpha plane is no part of the picture
        if self.tile_size is not None and self.config.scale is not None:
            check_window_size((array.shape[0], array.shape[1]), self.config.scale)
        return to_channels(array, self.config.preprocess.channels)

    def weights_sha256(self) -> str:
        """Hash of the weights, as of the file `model.safetensors`."""
        return hashlib.sha256(serialize(self.network)).hexdigest()

    def _to_network(self, image: NDArray[Any]) -> Tensor:
        """(H, W, C) of 8 or 16 bits -> normalized (1, C, H, W) on the device."""
        pixels = torch.from_numpy(np.array(image, order="C")).to(self.device)  # a copy: torch takes no read-only array
        return normalize(unit(pixels.permute(2, 0, 1)[None]), self.config.preprocess.normalize)

    def _probabilities(self, x: Tensor) -> Tensor:
        """Normalized images (B, C, H, W) -> probabilities (B, K, H, W), averaged over tta if asked."""
        with torch.inference_mode():
            total = torch.as_tensor(sum(probabilities(self._run(x.flip(axes))).flip(axes) for axes in self._axes))
        if not bool(torch.isfinite(total).all()):
            raise ModelError("Expected finite probabilities, but the network gives others: its weights are damaged.")
        return total / len(self._axes)

    def _by_window(self, image: NDArray[Any], size: Size, side: int) -> Tensor:
        scaled = at_training_scale(image, size, self.config.scale)
        return sliding_window(self._to_network(scaled), side, self._probabilities)

    def _decide(self, probability: Tensor, size: tuple[int, ...]) -> Prediction:
        """Probabilities (1, K, h, w) -> mask and probability at (H, W)."""
        if probability.shape[2:] != size:
            probability = F.interpolate(probability, size=size, mode="bilinear", align_corners=False)
        values = probability[0].cpu().numpy()
        classes = self.config.classes
        mask = labels(probability)[0].cpu().numpy()
        return Prediction(mask, values[1] if len(classes) == 2 else values, classes)
