"""The raw format of nnU-Net version 2: a folder ``DatasetNNN_NAME`` of 2D images in a lossless format (Isensee et al., 2021).

The format is described in https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from tmunet.data.cases import natural_key
from tmunet.datasets._build.import_plan import Plan, PlannedCase
from tmunet.datasets._build.label_masks import mapped
from tmunet.datasets._build.nnunet_json import FACTS, read_description
from tmunet.datasets._build.pairing import not_used, refuse, without_partner
from tmunet.datasets._build.source import Source
from tmunet.errors import DataError

__all__ = ["FACTS", "plan"]


def plan(source: Source) -> Plan:
    """Read ``dataset.json``, and pair ``imagesTr`` with ``labelsTr``, and ``imagesTs`` with ``labelsTs`` if it is there.

    Raises:
        InputError: ``dataset.json`` cannot be read.
        DataError: all faults: an older version, 3D images, several files for one image, labels of regions; files that are
            missing or have no partner, and a number of training cases other than that in ``dataset.json``.
    """
    descriptions = [key for key in source.files if key.name == "dataset.json"]
    refuse(source, FACTS, descriptions, [])
    if len(descriptions) > 1:
        places = ", ".join(sorted(map(str, descriptions)))
        raise DataError(str(source.location), [f"expected one data set, but found {places}; point at one of them."])
    root, about = descriptions[0].parent, read_description(source, descriptions[0])
    faults: list[str] = []
    train, test = (_pairs(source, root, part, about.ending, faults) for part in ("Tr", "Ts"))
    faults += [
        f"{test[name].image}: the training case {name!r} has this name too; rename one." for name in train & test.keys()
    ]
    if about.count != len(train) and not faults:
        faults.append(
            f"{descriptions[0]}: expected {about.count} training images (numTraining), but found {len(train)} of the form "
            f"imagesTr/CASE_0000{about.ending}; copy the folder again, or correct the number."
        )
    if faults:
        raise DataError(str(source.location), faults)
    pairs = {**train, **test}
    names = sorted(pairs, key=natural_key)
    used = [*descriptions, *(key for pair in pairs.values() for key in pair)]
    return Plan(
        about.facts,
        tuple(
            PlannedCase(
                name, pairs[name].image, (pairs[name].label,), mapped(source, pairs[name].label, about.label_of)
            )
            for name in names
        ),
        official={"train": [n for n in names if n in train], "test": [n for n in names if n in test]} if test else {},
        remarks=not_used(source, used),
    )


class _Pair(NamedTuple):
    image: PurePosixPath
    label: PurePosixPath


def _pairs(source: Source, root: PurePosixPath, part: str, ending: str, faults: list[str]) -> dict[str, _Pair]:
    """Images and labels of the training part ``Tr`` or the test part ``Ts``; test images without any labels are no cases."""
    images = _images(source, root / f"images{part}", ending, faults)
    labels = {key.name.removesuffix(ending): key for key in _files(source, root / f"labels{part}", ending)}
    if part == "Ts" and not labels:
        return {}
    faults += without_partner(images, labels)
    return {name: _Pair(images[name], labels[name]) for name in images.keys() & labels.keys()}


def _images(source: Source, folder: PurePosixPath, ending: str, faults: list[str]) -> dict[str, PurePosixPath]:
    found: dict[str, PurePosixPath] = {}
    for key in _files(source, folder, ending):
        match = re.fullmatch(r"(.+)_([0-9]{4})", key.name.removesuffix(ending))
        if match is None:
            faults.append(f"{key}: expected a name such as CASE_0000{ending}; rename the file.")
        elif match[2] != "0000":
            faults.append(
                f"{key}: is channel {int(match[2])} in a file of its own, but only one file for each image is read (gray, or "
                "RGB in one file); put the channels together, or take the file out."
            )
        else:
            found[match[1]] = key
    return found


def _files(source: Source, folder: PurePosixPath, ending: str) -> list[PurePosixPath]:
    return sorted(key for key in source.files if key.parent == folder and key.name.endswith(ending))
