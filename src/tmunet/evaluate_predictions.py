"""Score the mask files of any program against reference masks: the same protocols, tables and intervals as for a model."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.case_spacing import MM, PIXELS
from tmunet.data.cases import SHOWN, Case, list_folder, unknown_case, warn_skipped_files
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.io.masks import read_mask
from tmunet.data.json_object import read_json_object
from tmunet.data.preprocess import resize_mask
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError, TMUNetWarning
from tmunet.evaluation import Evaluation, ScoredImages, class_scores, spacings_of
from tmunet.metrics import CaseScores, Protocol, Spacing
from tmunet.prediction.folder import MANIFEST
from tmunet.progress import progress_bar
from tmunet.text import pluralize


@dataclass(frozen=True)
class MaskFolder:
    """A folder with one predicted mask for each case, ``NAME.png`` (or .tif, .bmp, .jpg) for the image ``NAME.*``.

    Attributes:
        path: the folder.
        files: mask by case name.
    """

    path: Path
    files: dict[str, Path]

    def read(self, case: Case, reference: NDArray[np.uint8], classes: Sequence[str]) -> NDArray[np.uint8]:
        """Read the mask of a case: labels (H, W), by the rules for reference masks, at the size of the reference.

        Raises:
            InputError: the file cannot be read, holds other values than labels of the classes, or has another size.
        """
        path = self.files[case.name]
        mask = read_mask(path, classes)
        if mask.shape != reference.shape:
            raise InputError(
                f"{path}: expected {reference.shape[1]} x {reference.shape[0]} pixels (width x height), as the reference mask "
                f"has, but found {mask.shape[1]} x {mask.shape[0]}; save predictions at the size of their images.",
                code="size",
                path=path,
            )
        return mask

    def facts(self) -> dict[str, Any]:
        """Return what an evaluation records about the masks; of `tmunet predict` also weights and settings."""
        manifest = self.path / MANIFEST
        known = read_json_object(manifest) if manifest.is_file() else {}
        return {
            "predictions": str(self.path),
            **{key: known[key] for key in ("weights_sha256", "threshold") if key in known},
        }


def open_masks(folder: Path, dataset: Dataset, subset: str) -> MaskFolder:
    """Pair the masks of a folder with the cases of a subset.

    Raises:
        InputError: the subset has no cases.
        DataError: the folder cannot be listed, two files have one name, cases without a mask, files that are no case.

    Warns:
        TMUNetWarning: masks of other cases of the data set, which are not scored, and files that are no images.
    """
    cases = dataset.subset(subset)
    if not cases:
        raise InputError(f"{dataset.folder}: the split has no {subset} images to score.", code="empty-subset")
    listing = list_folder(folder)
    if listing.error is not None:
        raise DataError(
            str(folder),
            [f"{folder}: cannot be listed: {listing.error}; expected a folder of masks, one for each image."],
        )
    found, names = listing.by_name(), [case.name for case in dataset.cases]
    faults = [
        f"{path}: {first.name} has the same name; keep one of the two."
        for first, *rest in found.values()
        for path in rest
    ]
    wanted = {case.name for case in cases}
    faults += [
        f"{case.image}: has no predicted mask; expected {folder / case.name}.png. Predict it too, an empty mask included, or "
        "leave the case out of the split."
        for case in cases
        if case.name not in found
    ]
    unknown = [name for name in found if name not in names]
    faults += [
        f"{found[name][0]}: {unknown_case(name, names, number)} Name masks as their images, and move other files away."
        for number, name in enumerate(unknown)
    ]
    if faults:
        raise DataError(str(folder), faults)
    if others := [name for name in found if name not in wanted]:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        warnings.warn(
            f"{folder}: not scored, since their images are not in the {subset} subset: {', '.join(others[:SHOWN])}{more}.",
            TMUNetWarning,
            stacklevel=2,
        )
    warn_skipped_files(
        folder, [path for path in listing.others if not path.is_dir()], "masks are PNG, TIFF, BMP or JPEG"
    )
    return MaskFolder(folder, {name: paths[0] for name, paths in found.items() if name in wanted})


def evaluate_predictions(
    masks: MaskFolder,
    dataset: Dataset,
    subset: str,
    protocol: Protocol,
    seed: int = 0,
    facts: dict[str, Any] | None = None,
) -> Evaluation:
    """Score predicted masks. A protocol of a fixed size resizes them and the reference masks by nearest neighbor.

    Whether the program that made the masks was trained on these images is not known, so data leakage is not checked.

    Args:
        masks: of `open_masks`.
        dataset: images, reference masks and split.
        subset: "train", "val" or "test".
        protocol: of `tmunet.metrics.PROTOCOLS`.
        seed: of the bootstrap.
        facts: recorded with the scores, beside data, split, subset and masks.

    Raises:
        InputError: all pixels are ignored.
        DataError: every fault of images, reference masks and predicted masks.
    """
    spacings = spacings_of(dataset.subset(subset), protocol, dataset)
    cases, images, digest = dataset.subset(subset), ScoredImages(TrainingFingerprint()), hashlib.sha256()
    scores: list[dict[str, CaseScores]] = []
    with progress_bar(total=len(cases), desc=f"evaluate ({protocol.name})", unit="image") as bar:

        def score(index: int, loaded: LoadedCase) -> None:
            images.add(loaded)
            predicted = masks.read(cases[index], loaded.mask, dataset.info.classes)
            digest.update(predicted.tobytes())
            spacing = spacings[index] if spacings else (1.0, 1.0)
            scores.append(score_labels(loaded.mask, predicted, dataset.info.classes, protocol, spacing))
            bar.update()

        faults = map_cases(cases, dataset.info, score)
    if faults:
        raise DataError(str(masks.path), faults)
    known = {"images_sha256": images.facts()["images_sha256"], "predictions_sha256": digest.hexdigest()}
    known |= {**masks.facts(), **(facts or {})}
    return Evaluation.of(dataset, subset, protocol, scores, seed, known, MM if spacings else PIXELS)


def score_labels(
    reference: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    classes: Sequence[str],
    protocol: Protocol,
    spacing: Spacing = (1.0, 1.0),
) -> dict[str, CaseScores]:
    """Score predicted labels (H, W) for each class without the background, both resized to the size of the protocol."""
    pixels = reference.size
    if protocol.size is not None:
        size = (protocol.size, protocol.size)
        reference, predicted = resize_mask(reference, size), resize_mask(predicted, size)
    return class_scores(reference, predicted, classes, protocol, reference.size / pixels, spacing)


def describe_masks(masks: MaskFolder) -> str:
    """Describe the masks for a title: ``"141 masks of other-program"``.

    >>> describe_masks(MaskFolder(Path("runs/other-program"), {"case1": Path("case1.png")}))
    '1 mask of other-program'
    """
    return f"{pluralize(len(masks.files), 'mask')} of {masks.path.resolve().name}"
