"""Average several models of the same classes and channels: the mean of their probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.io.images import Pixels
from tmunet.errors import UsageError
from tmunet.model_config import ModelConfig
from tmunet.prediction.confidence import worst_dice
from tmunet.prediction.pipeline import Image, Pipeline, Prediction, Prepared, ProbabilityMap, assess, resize_probability
from tmunet.prediction.postprocess import Postprocess, labels
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
        return [self.finish(of_image, size) for of_image, size in zip(maps, sizes, strict=True)]

    def load(self, image: Image) -> Pixels:
        """Read an image as `Pipeline.load` does."""
        return self.members[0].load(image)

    def prepare(self, image: Pixels, original_size: Size | None = None) -> tuple[Prepared, ...]:
        """Prepare an image for each member."""
        return tuple(member.prepare(image, original_size) for member in self.members)

    def predict_each(self, inputs: Iterable[Sequence[Prepared]]) -> Iterator[tuple[ProbabilityMap, ...]]:
        """Yield the probabilities of each member for each input that `prepare` made."""
        of_members = zip(*inputs, strict=True)
        maps = (member.predict_each(of_member) for member, of_member in zip(self.members, of_members, strict=True))
        return zip(*maps, strict=True)

    def finish(self, of_image: Sequence[ProbabilityMap], size: Size) -> Prediction:
        """Average the probabilities of the members at (H, W), take the mask of the average, and compare those of the members.

        The agreement is the worst Dice between the members' masks. A reason for review is that of any member; without a
        calibration of the average, none is of the expected Dice.
        """
        total: Tensor | None = None
        masks = []
        for one in of_image:
            probability = resize_probability(one.probability, size)
            masks.append(labels(probability, self.mask_of.threshold)[0].cpu().numpy())
            total = probability if total is None else total + probability
        assert total is not None
        shifts = tuple(dict.fromkeys(flag for one in of_image for flag in one.shifts))
        agreement = worst_dice(masks)
        return assess(total / len(self.members), self.mask_of, self.members[0].config, agreement, shifts, None)


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
