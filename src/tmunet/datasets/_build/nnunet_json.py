"""The file ``dataset.json`` of nnU-Net's raw format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.datasets._build.import_plan import NOT_STATED, SetFacts
from tmunet.datasets._build.source import Source
from tmunet.errors import DataError
from tmunet.labels import IGNORE_LABEL

FACTS = SetFacts(
    name="nnunet",
    version=2,
    classes=("background", "foreground"),
    modality=NOT_STATED,
    url=NOT_STATED,
    license=NOT_STATED,
    citation=NOT_STATED,
    layout="DatasetNNN_NAME with dataset.json, imagesTr/CASE_0000.png and labelsTr/CASE.png",
)
ENDINGS = (".png", ".bmp", ".tif")
"""The file endings that nnU-Net's reader of natural 2D images takes."""

_KEYS = ("channel_names", "labels", "numTraining", "file_ending")


@dataclass(frozen=True)
class Description:
    """What the file says.

    Attributes:
        facts: of the set.
        ending: of all file names, such as ".png".
        count: number of training cases.
        label_of: our label by stored value; the highest value may be the one to ignore.
    """

    facts: SetFacts
    ending: str
    count: int
    label_of: Mapping[int, int]


def read_description(source: Source, key: PurePosixPath) -> Description:
    """Read and check the file.

    Args:
        source: for the location and the file.
        key: of the file in it.

    Raises:
        InputError: the file cannot be read.
        DataError: all faults: another version, missing keys, 3D images, labels with gaps or of regions.
    """
    content = read_json_object(source.files[key])
    faults = [f"{key}: the key {name!r} is missing." for name in _KEYS if name not in content]
    if "modality" in content or "tensorImageSize" in content:
        faults = [f"{key}: is of version 1; convert the set with nnUNetv2_convert_old_nnUNet_dataset first."]
    if "dataset" in content:
        faults.append(f"{key}: lists files under the key 'dataset'; only imagesTr and labelsTr beside it are read.")
    if faults:
        raise DataError(str(source.location), faults)
    ending, count = content["file_ending"], content["numTraining"]
    if ending not in ENDINGS:
        faults.append(
            f"{key}: expected `file_ending` to be one of {', '.join(ENDINGS)}, but got {ending!r}. 3D images (NIfTI and the "
            "like) are not read: tmunet segments 2D images."
        )
    if type(count) is not int or count < 1:
        faults.append(f"{key}: expected `numTraining` to be a number above 0, but got {count!r}.")
    if not isinstance(content["channel_names"], dict):
        faults.append(f'{key}: expected `channel_names` to be an object such as {{"0": "R"}}, but got another type.')
    classes, ignore = _classes(key, content["labels"], faults)
    if faults:
        raise DataError(str(source.location), faults)
    facts = replace(
        _facts(source, key, content), classes=classes, ignore_label=None if ignore is None else IGNORE_LABEL
    )
    label_of = {label: label for label in range(len(classes))} | ({} if ignore is None else {ignore: IGNORE_LABEL})
    return Description(facts, ending, count, label_of)


def _classes(key: PurePosixPath, labels: Any, faults: list[str]) -> tuple[tuple[str, ...], int | None]:
    """Class names in the order of their labels, and the label to ignore."""
    if not isinstance(labels, dict):
        faults.append(f'{key}: expected `labels` to be an object such as {{"background": 0}}, but got {labels!r}.')
        return (), None
    regions = [name for name, value in labels.items() if isinstance(value, list)]
    if regions:
        faults.append(
            f"{key}: {', '.join(regions)} are regions (lists of labels); only labels without overlap are read."
        )
        return (), None
    if any(type(value) is not int for value in labels.values()) or sorted(labels.values()) != list(range(len(labels))):
        faults.append(f"{key}: expected `labels` to count up from 0 without a gap, but got {labels}.")
        return (), None
    ignore = labels.get("ignore")
    names = tuple(name for name in sorted(labels, key=labels.__getitem__) if name != "ignore")
    if ignore is not None and ignore != len(names):
        faults.append(f"{key}: expected the label 'ignore' to be the highest, {len(names)}, but got {ignore}.")
    if not 2 <= len(names) <= IGNORE_LABEL:
        faults.append(f"{key}: expected 2 to {IGNORE_LABEL} classes beside 'ignore', but found {len(names)}.")
    return names, ignore


def _facts(source: Source, key: PurePosixPath, content: Mapping[str, Any]) -> SetFacts:
    """What is known of the set; nnU-Net itself does not read these keys, so they may be missing."""
    folder = key.parent.name or source.location.resolve().name
    said = {name: str(content[name]) for name in ("name", "reference", "license", "license") if content.get(name)}
    return replace(
        FACTS,
        name=said.get("name", re.sub(r"^Dataset\d{3}_", "", folder)),
        modality=f"channels: {', '.join(map(str, content['channel_names'].values()))}",
        url=said.get("reference", FACTS.url),
        license=said.get("license", said.get("license", FACTS.license)),
        notes=("Imported from nnU-Net's raw format, which does not tell which images are of one patient or video.",),
    )
