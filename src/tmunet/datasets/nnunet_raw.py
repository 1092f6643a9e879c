"""Raw data format of nnU-Net version 2: a folder ``DatasetNNN_NAME`` of 2D images in a lossless format (Isensee et al., 2021).

The format is described in https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from tmunet.data.cases import natural_key
from tmunet.data.json_object import read_json_object
from tmunet.datasets._build.conversion import remap_labels
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.import_plan import NOT_STATED, DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import Files, check_found, plan_pairs, unpaired
from tmunet.datasets._build.source import SourceFiles
from tmunet.labels import IGNORE_LABEL

FACTS = DatasetFacts(
    name="nnunet",
    version=2,
    classes=("background", "foreground"),
    modality=NOT_STATED,
    url=NOT_STATED,
    license=NOT_STATED,
    citation=NOT_STATED,
    layout="DatasetNNN_NAME with dataset.json, imagesTr/CASE_0000.png and labelsTr/CASE.png",
)
_ENDINGS = (".png", ".bmp", ".tif")  # of nnU-Net's reader of natural 2D images
_KEYS = ("channel_names", "labels", "numTraining", "file_ending")


def plan(source: SourceFiles) -> ImportPlan:
    """Read ``dataset.json``, and pair ``imagesTr`` with ``labelsTr``, and ``imagesTs`` with ``labelsTs`` if it is there.

    Raises:
        InputError: ``dataset.json`` cannot be read.
        DatasetImportError: all faults: an older version, 3D images, missing channels, region-based labels; images
            without labels, labels without image, and another number of training cases than ``dataset.json`` states.
    """
    descriptions = [key for key in source.files if key.name == "dataset.json"]
    check_found(source, FACTS, descriptions, [])
    if len(descriptions) > 1:
        message = f"expected one data set, but found {', '.join(sorted(map(str, descriptions)))}"
        raise DatasetImportError(source.location, [Fault("several-data-sets", "", message, "give one of them")])
    key = descriptions[0]
    content = read_json_object(source.files[key])
    facts, label_of = _read_description(source, key, content)
    ending, count = content["file_ending"], content["numTraining"]
    faults: list[Fault] = []
    further: dict[str, tuple[PurePosixPath, ...]] = {}
    (train, train_labels), (test, test_labels) = (
        _subset(source, key.parent, part, ending, len(content["channel_names"]), further, faults)
        for part in ("Tr", "Ts")
    )
    twice = train.keys() & test.keys()
    faults += [Fault("duplicate-file", test[name], f"{name!r} is a training case too", "rename one") for name in twice]
    if count != len(train) and not faults:
        message = (
            f"expected {count} training images (numTraining), but found {len(train)} of imagesTr/CASE_0000{ending}"
        )
        faults.append(Fault("case-count", key, message, "copy the folder again, or correct the number"))
    made = plan_pairs(
        source,
        facts,
        {**train, **test},
        {**train_labels, **test_labels},
        faults,
        read_mask=lambda source, keys: remap_labels(source, keys[0], label_of),
        official={"train": sorted(train, key=natural_key), "test": sorted(test, key=natural_key)} if test else {},
        used=[*descriptions, *(file for files in further.values() for file in files)],
    )
    cases = tuple(replace(case, channels=further.get(case.name, ())) for case in made.cases)
    return replace(made, cases=cases)


def _subset(
    source: SourceFiles,
    root: PurePosixPath,
    part: str,
    ending: str,
    channels: int,
    further: dict[str, tuple[PurePosixPath, ...]],
    faults: list[Fault],
) -> tuple[Files, Files]:
    """Images and labels of training (``Tr``) or test (``Ts``); test images without any labels are no cases.

    `further` gets the files of the channels after the first, where each of the channels has a file of its own.
    """
    planes: dict[str, dict[int, PurePosixPath]] = {}
    for key in _files(source, root / f"images{part}", ending):
        match = re.fullmatch(r"(.+)_([0-9]{4})", key.name.removesuffix(ending))
        if match is None:
            hint = "rename the file"
            faults.append(Fault("file-name", key, f"expected a name such as CASE_0000{ending}", hint))
        else:
            planes.setdefault(match[1], {})[int(match[2])] = key
    several = 2 * sum(len(found) > 1 for found in planes.values()) > len(planes)
    wanted = list(range(channels if several else 1))
    for found in planes.values():
        if sorted(found) != wanted:
            message = (
                f"expected a file for each of the channels {wanted}, as of the other images, but found {sorted(found)}"
            )
            faults.append(Fault("channel-files", found[max(found)], message, "add or remove files"))
    images = {name: found[min(found)] for name, found in planes.items()}
    further |= {name: tuple(found[number] for number in sorted(found)[1:]) for name, found in planes.items()}
    labels = {key.name.removesuffix(ending): key for key in _files(source, root / f"labels{part}", ending)}
    if part == "Ts" and not labels:
        return {}, {}
    faults += unpaired(images, labels)
    names = images.keys() & labels.keys()
    return {name: images[name] for name in names}, {name: labels[name] for name in names}


def _files(source: SourceFiles, folder: PurePosixPath, ending: str) -> list[PurePosixPath]:
    return sorted(key for key in source.files if key.parent == folder and key.name.endswith(ending))


def _read_description(
    source: SourceFiles, key: PurePosixPath, content: Mapping[str, Any]
) -> tuple[DatasetFacts, dict[int, int]]:
    """Check ``dataset.json``; gives the facts and our label by stored value (nnU-Net's ignore label is the highest)."""
    faults = [Fault("missing-key", key, f"the key {name!r} is missing.") for name in _KEYS if name not in content]
    if (
        "channel_names" not in content
        and "file_ending" not in content
        and content.keys() & {"modality", "tensorImageSize"}
    ):
        hint = "convert the data set with nnUNetv2_convert_old_nnUNet_dataset"
        faults = [Fault("old-version", key, "is of version 1", hint)]
    if "dataset" in content:
        message = "lists files under the key 'dataset'; only imagesTr and labelsTr beside it are read."
        faults.append(Fault("file-list", key, message))
    if faults:
        raise DatasetImportError(source.location, faults)
    ending, count = content["file_ending"], content["numTraining"]
    if ending not in _ENDINGS:
        message = f"expected `file_ending` to be one of {', '.join(_ENDINGS)}, but got {ending!r}"
        faults.append(Fault("file-format", key, message, "3D images (NIfTI and the like) are not supported"))
    if type(count) is not int or count < 1:
        faults.append(Fault("value", key, f"expected `numTraining` to be a number above 0, but got {count!r}."))
    if not isinstance(content["channel_names"], dict):
        message = 'expected `channel_names` to be an object such as {"0": "R"}, but got another type.'
        faults.append(Fault("value", key, message))
    classes, ignore = _read_classes(key, content["labels"], faults)
    if faults:
        raise DatasetImportError(source.location, faults)
    label_of = {label: label for label in range(len(classes))} | ({} if ignore is None else {ignore: IGNORE_LABEL})
    # nnU-Net does not read these keys, so they may be missing; it writes the license as `licence`.
    stated = {name: str(content[name]) for name in ("name", "reference", "licence", "license") if content.get(name)}
    folder = key.parent.name or source.location.resolve().name
    facts = replace(
        FACTS,
        name=stated.get("name", re.sub(r"^Dataset\d{3}_", "", folder)),
        classes=classes,
        ignore_label=None if ignore is None else IGNORE_LABEL,
        modality=f"channels: {', '.join(map(str, content['channel_names'].values()))}",
        url=stated.get("reference", FACTS.url),
        license=stated.get("licence", stated.get("license", FACTS.license)),
        notes=("Imported from nnU-Net's raw format, which does not record which images are of one patient or video.",),
    )
    return facts, label_of


def _read_classes(key: PurePosixPath, labels: Any, faults: list[Fault]) -> tuple[tuple[str, ...], int | None]:
    """Class names in the order of their labels, and the ignore label."""
    found: list[str] = []
    names: tuple[str, ...] = ()
    ignore = None
    if not isinstance(labels, dict):
        found.append(f'expected `labels` to be an object such as {{"background": 0}}, but got {labels!r}.')
    elif regions := [name for name, value in labels.items() if isinstance(value, list)]:
        found.append(f"{', '.join(regions)} are regions (lists of labels); only labels without overlap are read.")
    elif any(type(v) is not int for v in labels.values()) or sorted(labels.values()) != list(range(len(labels))):
        found.append(f"expected `labels` to count up from 0 without a gap, but got {labels}.")
    else:
        ignore = labels.get("ignore")
        names = tuple(name for name in sorted(labels, key=labels.__getitem__) if name != "ignore")
        if ignore is not None and ignore != len(names):
            found.append(f"expected the label 'ignore' to be the highest, {len(names)}, but got {ignore}.")
        if not 2 <= len(names) <= IGNORE_LABEL:
            found.append(f"expected 2 to {IGNORE_LABEL} classes beside 'ignore', but found {len(names)}.")
    faults += [Fault("labels", key, message) for message in found]
    return names, ignore
