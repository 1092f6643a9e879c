"""Inference pipeline: preprocess an image, run the network, postprocess its probabilities into a mask.

The one place where channels, scale, normalization, test-time augmentation, sliding window (`sliding_window.py`) and threshold
(`postprocess.py`) come together; `Predictor`, evaluation, reports and export share it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tmunet.calibration import Calibration
from tmunet.data.io.images import Pixels, check_range, decode_image, to_channels, to_image
from tmunet.data.preprocess import normalize, resize_image, unit
from tmunet.data.training_stats import Appearance
from tmunet.errors import InputError, ModelError
from tmunet.model_config import ModelConfig
from tmunet.prediction.backends.sessions import Session
from tmunet.prediction.confidence import Confidence, confidence_of, soft_dice, worst_dice
from tmunet.prediction.domain_shift import shift_flags
from tmunet.prediction.postprocess import Postprocess, labels, probabilities
from tmunet.prediction.sliding_window import Size, check_scaled_size, resample_to_training_scale, sliding_window
from tmunet.prediction.tta import NO_TTA, Flips

CPU = torch.device("cpu")
Image = NDArray[Any] | Path | str
"""A file, or an array (H, W) or (H, W, C) of 8 or 16 bits."""


@dataclass(frozen=True)
class Prediction:
    """The predicted mask of one image.

    Attributes:
        mask: (H, W) labels 0..K-1, uint8.
        probability: (K, H, W) of each class, the background first, float32; two classes have both, which sum to 1.
        classes: names of the labels.
        confidence: agreement, expected Dice, and reasons for review.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    classes: tuple[str, ...]
    confidence: Confidence


@dataclass(frozen=True)
class Prepared:
    """The network's input for one image.

    Attributes:
        x: (1, C, h, w), float32.
        shifts: how the image differs from the training images; see `shift_flags`.
    """

    x: Tensor
    shifts: tuple[str, ...]


@dataclass(frozen=True)
class ProbabilityMap:
    """Probabilities of one image before its mask.

    Attributes:
        probability: (1, K, h, w) at the size of the network's input.
        agreement: worst Dice between the masks of the flips; None without test-time augmentation.
        shifts: how the image differs from the training images; see `shift_flags`.
    """

    probability: Tensor
    agreement: float | None
    shifts: tuple[str, ...]


class Stages(Protocol):
    """What a `Pipeline` and an `Ensemble` do with an image, in steps that may run in threads of their own.

    What is prepared and its probabilities are of any type: of one model, or tuples for several.
    """

    def load(self, image: Image) -> Pixels:
        """Read an image."""

    def prepare(self, image: Pixels, original_size: Size | None = None) -> Any:
        """Make the input of the network, and compare the image with the training images."""

    def predict_each(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Yield the probabilities of each input."""

    def finish(self, found: Any, size: Size) -> Prediction:
        """Make the mask and its confidence."""


@dataclass(frozen=True)
class Pipeline:
    """Map images to masks: `load`, `preprocess`, `predict_probabilities`, `postprocess`.

    Attributes:
        config: of the model.
        session: runs the network.
        device: of the tensors that the session takes.
        tile_size: side of a tile of the sliding window in pixels; None resizes the whole image instead.
        flips: of test-time augmentation.
        mask_of: threshold and cleaning of masks.
    """

    config: ModelConfig
    session: Session
    device: torch.device = CPU
    tile_size: int | None = None
    flips: Flips = NO_TTA
    mask_of: Postprocess = field(default_factory=Postprocess)

    def __call__(self, images: Sequence[Pixels], original_sizes: Sequence[Size] | None = None) -> list[Prediction]:
        """Predict images that `load` returned; without a sliding window they make one batch, whatever their sizes.

        Args:
            images: (H, W, C) with the model's channels.
            original_sizes: height and width of each image in its file, if it was resized since: the sliding window needs them.
        """
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        maps = self.probability_maps(images, original_sizes)
        return [self.finish(one, size) for one, size in zip(maps, sizes, strict=True)]

    def probability_maps(
        self, images: Sequence[Pixels], original_sizes: Sequence[Size] | None = None
    ) -> Iterator[ProbabilityMap]:
        """Yield the probabilities of each image at the size of the network's input; arguments as of a call."""
        if not images:
            return
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        inputs = (self.prepare(*pair) for pair in zip(images, original_sizes or sizes, strict=True))
        yield from self.predict_each(inputs)

    def prepare(self, image: Pixels, original_size: Size | None = None) -> Prepared:
        """Preprocess an image (H, W, C), and compare it with the training images."""
        own_size = original_size or (image.shape[0], image.shape[1])
        resized = self.resize(image, own_size)
        shifts = shift_flags(image, own_size, Appearance.of(resized), self.config, self.tile_size)
        return Prepared(self._normalize(resized), shifts)

    def predict_each(self, inputs: Iterable[Prepared]) -> Iterator[ProbabilityMap]:
        """Yield the probabilities of each input; without a sliding window they make one batch."""
        batches = [list(inputs)] if self.tile_size is None else ([one] for one in inputs)
        for batch in batches:
            found, agreements = self._predict(torch.cat([one.x for one in batch]))
            for prepared, probability, agreement in zip(batch, found.unbind(), agreements, strict=True):
                yield ProbabilityMap(probability[None], agreement, prepared.shifts)

    def finish(self, found: ProbabilityMap, size: Size) -> Prediction:
        """Postprocess probabilities to the mask (H, W) of their image, with its confidence."""
        return self.postprocess(found.probability, size, found.agreement, found.shifts)

    def load(self, image: Image) -> Pixels:
        """Read an image and convert it to the model's channels: (H, W, C) of 8 or 16 bits, at its original size.

        Raises:
            InputError: the file cannot be read, the array is not an image, or its channels do not fit; a file is named.
        """
        if isinstance(image, str | PathLike):
            path = Path(image)
            decoded = decode_image(path)
            check_range(path, decoded.has_known_range, self.config.preprocess.normalize)
            array = to_image(path, decoded)
            try:
                return self.load(array)
            except InputError as error:
                raise InputError(f"{image}: {error}", code=error.code) from error
        if not isinstance(image, np.ndarray):
            raise InputError(
                f"Expected a file or a numpy array, but got {type(image).__name__}; for a Pillow image give "
                "np.asarray(picture.convert('RGB')).",
                code="type",
            )
        array = image
        if array.ndim not in (2, 3) or array.dtype not in (np.uint8, np.uint16) or 0 in array.shape:
            raise InputError(
                "Expected an image array of shape (H, W) or (H, W, C) and type uint8 or uint16, "
                f"but got {array.shape} and {array.dtype}.",
                code="array",
            )
        if array.ndim == 2:
            array = array[..., None]
        channels = self.config.preprocess.channels
        if array.shape[2] == 4 and channels in (1, 3):
            array = array[..., :3]  # RGBA: files lose alpha in `read_image`, arrays here
        if self.tile_size is not None and self.config.scale is not None:
            check_scaled_size((array.shape[0], array.shape[1]), self.config.scale)
        return to_channels(array, channels)

    def preprocess(self, image: Pixels, original_size: Size | None = None) -> Tensor:
        """Resize and normalize an image: (H, W, C) of the model's channels -> network input (1, C, h, w), float32."""
        return self._normalize(self.resize(image, original_size or (image.shape[0], image.shape[1])))

    def resize(self, image: Pixels, original_size: Size) -> Pixels:
        """Resize an image (H, W, C) to the size of the network's input."""
        side = self.config.preprocess.size
        if self.tile_size is None:
            return resize_image(image, (side, side))
        return resample_to_training_scale(image, original_size, self.config.scale)

    def _normalize(self, image: Pixels) -> Tensor:
        pixels = torch.from_numpy(np.array(image, order="C")).to(self.device)  # a copy: torch takes no read-only array
        return normalize(unit(pixels.permute(2, 0, 1)[None]), self.config.preprocess.normalize)

    def predict_probabilities(self, x: Tensor) -> Tensor:
        """Run the network with sliding window and test-time augmentation: inputs (B, C, h, w) -> probabilities (B, K, h, w).

        Raises:
            ModelError: a probability is not finite.
        """
        return self._predict(x)[0]

    def _predict(self, x: Tensor) -> tuple[Tensor, list[float | None]]:
        """Probabilities (B, K, h, w), and for each image the worst Dice between the masks of its flips."""
        total: Tensor | None = None
        masks = []  # of each flip, (B, h, w)
        for axes in self.flips:
            one = self._run(x, axes)
            total = one if total is None else total + one
            if len(self.flips) > 1:
                masks.append(labels(one, self.mask_of.threshold).cpu().numpy())
        assert total is not None
        if not bool(torch.isfinite(total).all()):
            raise ModelError(
                "Expected finite probabilities, but the network gives others: its weights are damaged.",
                code="not-finite",
            )
        agreements: list[float | None] = [None] * len(x)
        if masks:
            agreements = [worst_dice(of_image) for of_image in zip(*masks, strict=True)]
        return total / len(self.flips), agreements

    def _run(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Probabilities (B, K, h, w) of images that are flipped, whole or tile by tile, and flipped back."""

        def predict(images: Tensor) -> Tensor:
            with torch.inference_mode():
                return probabilities(self.session(images.flip(axes))).flip(axes)

        return predict(x) if self.tile_size is None else sliding_window(x, self.tile_size, predict)

    def postprocess(
        self, probability: Tensor, size: Size, agreement: float | None = None, shifts: Sequence[str] = ()
    ) -> Prediction:
        """Resize probabilities (1, K, h, w) to (H, W), take the label of each pixel, clean the mask, and assess it.

        Args:
            probability: (1, K, h, w).
            size: height and width of the mask.
            agreement: worst Dice between flips; None takes the soft Dice as the agreement.
            shifts: flags of the image.
        """
        return assess(
            resize_probability(probability, size),
            self.mask_of,
            self.config,
            agreement,
            shifts,
            self.config.calibration if self.is_calibrated else None,
        )

    @property
    def is_calibrated(self) -> bool:
        """Whether the calibration of the model was fitted with the settings of this pipeline."""
        found = self.config.calibration
        settings = (self.mask_of.threshold, self.tile_size, self.flips != NO_TTA)
        return found is not None and (found.threshold, found.tile_size, found.tta) == settings


def assess(
    probability: Tensor,
    mask_of: Postprocess,
    config: ModelConfig,
    agreement: float | None,
    shifts: Sequence[str],
    calibration: Calibration | None,
) -> Prediction:
    """Take the mask of probabilities (1, K, H, W), and its confidence.

    The soft Dice is of the mask before it is cleaned, as in the calibration; "nothing found" is of the mask after it.
    """
    values = probability[0].cpu().numpy()
    raw = labels(probability, mask_of.threshold)[0].cpu().numpy()
    mask = mask_of.clean(raw)
    found = confidence_of(soft_dice(values, raw), agreement, bool(mask.any()), calibration, shifts)
    return Prediction(mask, values, config.classes, found)


def resize_probability(probability: Tensor, size: Size) -> Tensor:
    """Resize probabilities (1, K, h, w) bilinearly to (1, K, *size)."""
    if tuple(probability.shape[2:]) == size:
        return probability
    return F.interpolate(probability, size=size, mode="bilinear", align_corners=False)
