"""Average several models of the same classes and channels: the mean of their probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.io.images import Pixels
from tmunet.errors import UsageError
from tmunet.model_config import ModelConfig
from tmunet.prediction.pipeline import Image, Pipeline, Prediction, resize_probability
from tmunet.prediction.postprocess import Postprocess
from tmunet.prediction.sliding_window import Size


@dataclass(frozen=True)
class Ensemble:
    """Average the probabilities of several models at the size of the image; each prepares the image in its own way.

    Attributes:
        members: pipelines of models of the same classes and channels.
        mask_of: threshold and cleaning of the averaged probabilities.
    """

    members: tuple[Pipeline, ...]
    mask_of: Postprocess = field(default_factory=Postprocess)

    def __call__(self, images: Sequence[Pixels], original_sizes: Sequence[Size] | None = None) -> list[Prediction]:
        """Predict images as `Pipeline` does."""
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        maps = zip(*(member.probability_maps(images, original_sizes) for member in self.members), strict=True)
        return [self.postprocess(of_image, size) for of_image, size in zip(maps, sizes, strict=True)]

    def load(self, image: Image) -> Pixels:
        """Read an image as `Pipeline.load` does."""
        return self.members[0].load(image)

    def preprocess(self, image: Pixels, original_size: Size | None = None) -> tuple[Tensor, ...]:
        """Preprocess an image for each member."""
        return tuple(member.preprocess(image, original_size) for member in self.members)

    def predict_each(self, inputs: Iterable[Sequence[Tensor]]) -> Iterator[tuple[Tensor, ...]]:
        """Yield the probabilities of each member for each input that `preprocess` made."""
        of_members = zip(*inputs, strict=True)
        maps = (member.predict_each(of_member) for member, of_member in zip(self.members, of_members, strict=True))
        return zip(*maps, strict=True)

    def postprocess(self, of_image: Sequence[Tensor], size: Size) -> Prediction:
        """Average the probabilities (1, K, h, w) of the members at (H, W), and take the mask of the average."""
        total = torch.as_tensor(sum(resize_probability(one, size) for one in of_image))
        probability = total / len(self.members)
        return Prediction(self.mask_of(probability), probability[0].cpu().numpy(), self.members[0].config.classes)


def check_members(configs: Sequence[ModelConfig]) -> None:
    """Check that models can be averaged.

    Raises:
        UsageError: their classes, in their order, or channels differ.
    """
    for number, config in enumerate(configs[1:], start=2):
        for what, expected, found in (
            ("classes", list(configs[0].classes), list(config.classes)),
            ("channels", configs[0].preprocess.channels, config.preprocess.channels),
        ):
            if found != expected:
                raise UsageError(
                    f"Expected models of the same {what} to average, but the first has {expected} and number {number} has "
                    f"{found}. Predict with each by itself.",
                    code="ensemble",
                )


def merge_fingerprints(fingerprints: Sequence[TrainingFingerprint]) -> TrainingFingerprint:
    """Merge the images that any of several models was trained, or else selected, on; names are numbers."""
    train = sorted({digest for one in fingerprints for digest in one.train.values()})
    val = sorted({digest for one in fingerprints for digest in one.val.values()})
    numbered = ({str(number): digest for number, digest in enumerate(side)} for side in (train, val))
    return TrainingFingerprint(*numbered)
