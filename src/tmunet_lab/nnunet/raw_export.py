"""Export a data set to the raw format of nnU-Net version 2, with the same images and the same split.

The format is described in https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.data.dataset import Dataset
from tmunet.data.io.images import Pixels, read_image, to_channels
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError, UsageError
from tmunet.files import write_json
from tmunet.labels import IGNORE_LABEL
from tmunet.progress import progress_bar
from tmunet.text import pluralize

_CHANNELS = {1: {"0": "gray"}, 3: {"0": "R", "1": "G", "2": "B"}}


@dataclass(frozen=True)
class RawDataset:
    """An exported data set.

    Attributes:
        folder: ``DatasetNNN_NAME``.
        training: number of cases in ``imagesTr``: train and val of the split.
        test: number of cases in ``imagesTs``.
        left_out: number of cases that are not in the split.
        channels: of every image, 1 or 3.
        repeated: number of gray images that were repeated into RGB, since nnU-Net takes one number of channels.
    """

    folder: Path
    training: int
    test: int
    left_out: int
    channels: int
    repeated: int

    def __str__(self) -> str:
        channels = pluralize(self.channels, "channel")
        parts = [f"{self.folder}: {self.training} training and {pluralize(self.test, 'test image')} of {channels}"]
        if self.repeated:
            parts.append(f"repeated from gray into RGB: {pluralize(self.repeated, 'image')}")
        if self.left_out:
            parts.append(f"left out, not in the split: {pluralize(self.left_out, 'case')}")
        return "; ".join(parts) + "."


def write_nnunet(dataset: Dataset, destination: Path, number: int) -> RawDataset:
    """Write ``DatasetNNN_NAME`` into a folder, such as nnU-Net's ``nnUNet_raw``; whole or not at all.

    Train and val of the split become ``imagesTr`` and ``labelsTr``, test becomes ``imagesTs`` and ``labelsTs``.
    All files are PNG. Gray images become RGB if any image is RGB. Of the name, characters other than letters, digits,
    ``-``, ``.`` and ``_`` become ``_``; the first class becomes "background", as nnU-Net requires.

    ``splits_final.json`` holds one fold, train and val. nnU-Net reads it from
    ``nnUNet_preprocessed/DatasetNNN_NAME``: copy it there after ``nnUNetv2_plan_and_preprocess``, and train fold 0. It is
    not written if the split has no val images; nnU-Net then makes random folds.

    Args:
        dataset: with its split.
        destination: made if it does not exist.
        number: NNN, from 1 to 999.

    Raises:
        UsageError: the number is taken or out of range.
        DataError: all faults: names and classes that nnU-Net does not take, files that cannot be read, images of other
            channels than 1 or 3 or of 16-bit color.
        InputError: the folder cannot be written.
    """
    folder = destination / f"Dataset{number:03d}_{re.sub(r'[^A-Za-z0-9._-]+', '_', dataset.info.name)}"
    _check_number(destination, number)
    faults = _unfit_names(dataset)
    if faults:
        raise DataError(str(dataset.folder), faults)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination, prefix=".") as staging:
            written = Path(staging) / folder.name
            channels, repeated = _write_cases(dataset, written)
            _write_description(dataset, written, channels)
            written.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror}. Check the disk and its permissions.",
            code="unwritable",
            path=folder,
        ) from error
    sizes = {side: len(names) for side, names in dataset.split.to_dict().items()}
    left_out = len(dataset.cases) - sum(sizes.values())
    return RawDataset(folder, sizes["train"] + sizes["val"], sizes["test"], left_out, channels, repeated)


def _check_number(destination: Path, number: int) -> None:
    if not 1 <= number <= 999:
        raise UsageError(f"Expected `number` to be between 1 and 999, but got {number}.", code="value")
    taken = sorted(destination.glob(f"Dataset{number:03d}_*"))
    if taken:
        raise UsageError(
            f"{taken[0]} is there already, and nnU-Net takes a number once; choose another number.",
            code="exists",
            path=taken[0],
        )


def _unfit_names(dataset: Dataset) -> list[str]:
    """Find names that nnU-Net reserves: ``X_seg`` is the label of X in its preprocessed folder."""
    faults = [
        f"the case {case.name!r} ends in _seg, which nnU-Net takes for a label; rename its image and mask."
        for case in dataset.cases
        if case.name.endswith("_seg")
    ]
    faults += [
        f"the class {name!r} (label {label}) has a name that nnU-Net keeps for another label; rename it in dataset.json."
        for label, name in enumerate(dataset.info.classes)
        if name == "ignore" or (name == "background" and label > 0)
    ]
    return faults


def _write_cases(dataset: Dataset, folder: Path) -> tuple[int, int]:
    """Write images and labels; return the number of channels and of images repeated to it."""
    part_of = {name: "Tr" for side in ("train", "val") for name in dataset.split.to_dict()[side]}
    part_of |= dict.fromkeys(dataset.split.test, "Ts")
    for part in sorted(set(part_of.values())):
        (folder / f"images{part}").mkdir(parents=True)
        (folder / f"labels{part}").mkdir()
    cases = [case for case in dataset.cases if case.name in part_of]
    images = [folder / f"images{part_of[case.name]}" / f"{case.name}_0000.png" for case in cases]
    labels = [folder / f"labels{part_of[case.name]}" / f"{case.name}.png" for case in cases]
    ignored = len(dataset.info.classes)
    kinds: list[tuple[int, int]] = []  # channels and bytes of each image

    def write(index: int, loaded: LoadedCase) -> None:
        kinds.append(_write_image(images[index], loaded.image))
        mask = (
            np.where(loaded.mask == IGNORE_LABEL, ignored, loaded.mask)
            if dataset.info.ignore_label is not None
            else loaded.mask
        )
        Image.fromarray(mask.astype(np.uint8)).save(labels[index])
        bar.update()

    with progress_bar(total=len(cases), desc="nnU-Net", unit="image") as bar:
        faults = map_cases(cases, dataset.info, write)
    if not faults and {1, 3} <= {channels for channels, _ in kinds}:
        gray = [index for index, (channels, _) in enumerate(kinds) if channels == 1]
        faults = [f"{cases[i].image}: {_TOO_DEEP}" for i in gray if kinds[i][1] == 2]
        for index in gray if not faults else []:
            _write_image(images[index], to_channels(read_image(images[index]), 3))
    if faults:
        raise DataError(str(dataset.folder), faults)
    count = Counter(channels for channels, _ in kinds)
    return max(count), count[1] if len(count) > 1 else 0


_TOO_DEEP = "expected 8 bits, since nnU-Net reads PNG of 16-bit color as 8 bits; bring the data set to 8 bits first."


def _write_image(path: Path, image: Pixels) -> tuple[int, int]:
    channels, size = image.shape[2], image.dtype.itemsize
    if channels not in (1, 3):
        raise InputError(f"expected an image of 1 or 3 channels, but found {channels}; choose the channels yourself.")
    if (channels, size) == (3, 2):
        raise InputError(_TOO_DEEP)
    Image.fromarray(image[:, :, 0] if channels == 1 else image).save(path)
    return channels, size


def _write_description(dataset: Dataset, folder: Path, channels: int) -> None:
    info, split = dataset.info, dataset.split
    labels = {"background" if label == 0 else name: label for label, name in enumerate(info.classes)}
    if info.ignore_label is not None:
        labels["ignore"] = len(info.classes)
    content = {
        "name": info.name,
        "channel_names": _CHANNELS[channels],
        "labels": labels,
        "numTraining": len(split.train) + len(split.val),
        "file_ending": ".png",
    }
    known = {"reference": info.information.get("source"), "licence": info.information.get("license")}
    write_json(folder / "dataset.json", content | {key: value for key, value in known.items() if value})
    if split.val:
        write_json(folder / "splits_final.json", [{"train": list(split.train), "val": list(split.val)}])
