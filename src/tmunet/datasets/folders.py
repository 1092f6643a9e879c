"""Import your own data: images and masks in folders, paired by file name patterns or by what their names say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from tmunet.data.cases import natural_key
from tmunet.data.io.images import IMAGE_SUFFIXES, decode_image
from tmunet.data.split.group_table import read_groups
from tmunet.datasets._build.conversion import (
    merge_instances,
    remap_labels,
    stored_labels,
    threshold_union,
    unite,
)
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.import_plan import NOT_STATED, DatasetFacts, ImportPlan, PlannedCase, ReadMask, Subset
from tmunet.datasets._build.paired_files import Masks, PairedFiles, pair_by_layout, pair_by_pattern
from tmunet.datasets._build.pairing import shorten, unused_files
from tmunet.datasets._build.source import SourceFiles
from tmunet.errors import InputError, UsageError
from tmunet.text import pluralize

FACTS = DatasetFacts(
    name="folders",
    version=2,
    classes=("background", "foreground"),
    modality=NOT_STATED,
    url=NOT_STATED,
    license=NOT_STATED,
    citation=NOT_STATED,
    layout="any image files, and for each a mask file whose name follows from the image's",
)
_FEW_VALUES = 32  # of a channel; photographs hold more


@dataclass(frozen=True)
class FolderOptions:
    """File name patterns of images and masks, and the mask values.

    Attributes:
        images: pattern relative to the source, such as ``"scans/*.jpg"``, ``"scans/**/*.png"`` or
            ``"patients/{name}/image.png"``. Files that fit `masks` are no images. None: images and masks are found by what the
            names of folders and files say.
        masks: the mask of an image, such as ``"labels/{name}_seg.png"``; ``{name}`` is what stands for ``{name}`` in
            `images`, or else the image's path below the fixed folder of `images`, without its suffix. It may have wildcards.
        name: of the data set.
        classes: names; the index is the label.
        values: label of each stored value, for masks that hold other values than labels. Any other value is an error. Of a
            palette of grays the values are the gray levels, of any other the indices.
        threshold: of two classes, pixels above it are the second; for masks that hold gray values (0 to 254).
        foreground: "any": of two classes, every value but 0 is the second; for masks that number their objects.
        groups: CSV file with the columns ``case`` and ``group``.
        train: folders whose images are for training, relative to the source; without `train`, `val` and `test` the names of the
            folders say it, if they do.
        val: the same, for validation.
        test: the same, for testing.
        modality: how the images were taken.
        url: where they are from.
        license: their terms.
        citation: what to cite.

    Raises:
        UsageError: options that do not fit together.
    """

    images: str | None
    masks: str | None
    name: str
    classes: tuple[str, ...] = FACTS.classes
    values: Mapping[int, int] | None = None
    threshold: int | None = None
    foreground: Literal["any"] | None = None
    groups: Path | None = None
    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    modality: str = FACTS.modality
    url: str = FACTS.url
    license: str = FACTS.license
    citation: str = FACTS.citation

    def __post_init__(self) -> None:
        if (self.images is None) != (self.masks is None):
            raise UsageError(
                "Expected `images` and `masks`, or none of them, but got one; give both patterns.", code="flags"
            )
        if self.masks is not None:
            _check_mask_pattern(self.masks)
        if not self.name.strip():
            raise UsageError("Expected `name` to be the name of the data set, but it is empty.", code="value")
        if not 2 <= len(set(self.classes)) == len(self.classes) <= 255 or not all(c.strip() for c in self.classes):
            raise UsageError(
                f"Expected `classes` to be 2 to 255 different names, but got {list(self.classes)}.", code="value"
            )
        if self.threshold is not None and (self.values is not None or len(self.classes) != 2):
            raise UsageError(
                "Expected `threshold` for two classes and without `values`, but got more; leave it out.", code="flags"
            )
        if self.threshold is not None and not 0 <= self.threshold <= 254:
            raise UsageError(f"Expected `threshold` to be between 0 and 254, but got {self.threshold}.", code="value")
        if self.foreground is not None:
            if self.foreground != "any":
                raise UsageError(f"Expected `foreground` to be 'any', but got {self.foreground!r}.", code="value")
            if self.threshold is not None or self.values is not None or len(self.classes) != 2:
                raise UsageError(
                    "Expected `foreground` for two classes, without `threshold` and `values`; leave those out.",
                    code="flags",
                )
        wrong = [label for label in (self.values or {}).values() if not 0 <= label < len(self.classes)]
        if wrong or self.values == {}:
            raise UsageError(
                f"Expected `values` to give labels from 0 to {len(self.classes) - 1}, but got {dict(self.values or {})}.",
                code="value",
            )

    @property
    def is_default(self) -> bool:
        """Whether nothing but the name was chosen."""
        return self == FolderOptions(None, None, self.name)


def _check_mask_pattern(masks: str) -> None:
    path = PurePosixPath(masks)
    if "{name}" not in masks or (path.suffix.lower() not in IMAGE_SUFFIXES and path.suffix != ".*"):
        raise UsageError(
            f"Expected `masks` to hold {{name}} and to end in one of {', '.join(sorted(IMAGE_SUFFIXES))} or .*, "
            f"such as 'labels/{{name}}.png', but got {masks!r}.",
            code="value",
        )


def plan(source: SourceFiles, options: FolderOptions) -> ImportPlan:
    """Pair images and masks by the two patterns, or by what their names say.

    A case is named by what ``{name}`` matches, with ``_`` for slashes. Files without image suffix are skipped.

    Raises:
        DatasetImportError: all faults: nothing found (with what is there), images without mask, masks without image, two images
            of one name, more than one way to read the folder.
        UsageError: the two patterns match the same files; a folder of `train`, `val` or `test` holds no image.
        InputError: the table of groups cannot be read.
    """
    candidates = [key for key in source.files if key.suffix.lower() in IMAGE_SUFFIXES]
    candidates.sort(key=lambda key: natural_key(str(key)))
    if options.images is not None and options.masks is not None:
        paired = pair_by_pattern(source, candidates, options.images, options.masks)
    else:
        paired = pair_by_layout(source, candidates, lambda key: _has_few_values(source.files[key]))
    if len(options.classes) > 2:
        several = [image for image, masks in paired.masks_of.items() if len(masks) > 1]
        message = f"has several masks, which can be united of two classes only, but there are {len(options.classes)}"
        if several:
            raise DatasetImportError(source.location, [Fault("several-masks", key, message) for key in several])
    groups = read_groups(options.groups, list(paired.case_of.values())) if options.groups else {}
    cases = tuple(
        PlannedCase(
            case,
            key,
            paired.masks_of[key],
            _read_masks(source, paired.masks_of[key], options),
            groups.get(case, None if options.groups else paired.group_of.get(key)),
        )
        for key, case in sorted(paired.case_of.items(), key=lambda item: natural_key(item[1]))
    )
    official, outside = _subsets(cases, paired, options)
    remarks = [*paired.remarks, *_describe_subsets(official, outside)]
    used = {*paired.left_out, *(key for case in cases for key in (case.image, *case.masks))}
    facts = _facts(options, paired)
    return ImportPlan(facts, cases, official, (*remarks, *unused_files(source, used)))


def _has_few_values(path: Path) -> bool:
    try:
        pixels = decode_image(path).pixels
    except InputError:  # told when it is converted
        return False
    return all(len(np.unique(pixels[:, :, channel])) <= _FEW_VALUES for channel in range(pixels.shape[2]))


def _subsets(
    cases: tuple[PlannedCase, ...], paired: PairedFiles, options: FolderOptions
) -> tuple[dict[Subset, list[str]], list[str]]:
    """Case names of train, val and test, and those of none of them."""
    folders: dict[Subset, tuple[str, ...]] = {"train": options.train, "val": options.val, "test": options.test}
    if not any(folders.values()):
        found: dict[Subset, list[str]] = {"train": [], "val": [], "test": []}
        for case in cases if paired.subset_of else ():
            found[paired.subset_of[case.image]].append(case.name)
        return {subset: names for subset, names in found.items() if names}, []
    chosen: dict[Subset, list[str]] = {}
    left = {case.name for case in cases}
    for subset, places in folders.items():
        names: list[str] = []
        for place in map(PurePosixPath, places):
            inside = [case.name for case in cases if case.image.is_relative_to(place)]
            if not inside:
                there = sorted({str(case.image.parent) for case in cases}, key=natural_key)
                raise UsageError(
                    f"Expected `{subset}` to be a folder with images, relative to the source, but {str(place)!r} holds none; "
                    f"images are in {shorten(there)}.",
                    code="value",
                )
            names += inside
        if twice := [name for name in names if name not in left]:
            raise UsageError(
                f"Expected each image in one subset, but {shorten(twice)} would be in two; give other folders.",
                code="value",
            )
        left -= set(names)
        if names:
            chosen[subset] = sorted(names, key=natural_key)
    return chosen, sorted(left, key=natural_key)


def _describe_subsets(official: Mapping[Subset, list[str]], outside: list[str]) -> list[str]:
    remarks = []
    if official:
        sizes = ", ".join(f"{len(names):,} {subset}" for subset, names in official.items())
        remarks.append(f"Split by folder: {sizes}.")
    if outside:
        remarks.append(
            f"{pluralize(len(outside), 'case')} in none of these folders, so in no subset: {shorten(outside)}."
        )
    return remarks


def _read_masks(source: SourceFiles, masks: Masks, options: FolderOptions) -> ReadMask:
    if options.threshold is not None:
        return threshold_union(source, masks, options.threshold)
    readers = [_read_mask(source, mask, options) for mask in masks]
    return readers[0] if len(readers) == 1 else unite(readers)


def _read_mask(source: SourceFiles, mask: PurePosixPath, options: FolderOptions) -> ReadMask:
    if options.foreground is not None:
        return merge_instances(source, mask)
    if options.values is not None:
        return remap_labels(source, mask, options.values)
    return stored_labels(source, mask, options.classes)


def _facts(options: FolderOptions, paired: PairedFiles) -> DatasetFacts:
    notes = list(paired.notes)
    if options.threshold is not None:
        notes.append(f"A pixel is {options.classes[1]} if the value of its mask is above {options.threshold}.")
    if options.foreground is not None:
        notes.append(f"A pixel is {options.classes[1]} if the value of its mask is not 0; objects that touch are one.")
    if options.values is not None:
        labels = ", ".join(f"{span} is {options.classes[label]}" for span, label in _spans(options.values))
        notes.append(f"Stored values of the masks: {labels}.")
    group = f"as in {options.groups.name}" if options.groups else None
    return replace(
        FACTS,
        name=options.name,
        classes=options.classes,
        modality=options.modality,
        url=options.url,
        license=options.license,
        citation=options.citation,
        group=group or ("folder or volume" if paired.group_of else None),
        notes=tuple(notes),
    )


def _spans(values: Mapping[int, int]) -> list[tuple[str, int]]:
    """Runs of values with one label: ``{0: 0, 1: 1, 2: 1}`` -> ``[("0", 0), ("1-2", 1)]``."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1 and values[value] == values[runs[-1][0]]:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return [(str(first) if first == last else f"{first}-{last}", values[first]) for first, last in runs]
