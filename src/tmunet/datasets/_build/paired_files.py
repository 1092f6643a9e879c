"""Pair the image files of any folder with masks: by the user's patterns, or by what their names say."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.detect_layout import Reading, common_folder, find_readings, several_kinds
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.file_pattern import FilePattern, suggest_patterns
from tmunet.datasets._build.import_plan import Subset
from tmunet.datasets._build.path_words import is_role, subset_of, words_of
from tmunet.datasets._build.pairing import shorten
from tmunet.datasets._build.source import SourceFiles
from tmunet.errors import UsageError
from tmunet.text import pluralize

Masks = tuple[PurePosixPath, ...]
_MAX_SHOWN = 5
_MANY_FOLDERS = 5
_SLICE = re.compile(r"(.+?)[_-]?slice[_-]?\d+", re.IGNORECASE)
_HOW = {
    "folder": "by the names of their folders",
    "name": "by their names",
    "extension": "by their suffixes",
    "content": "by their content: masks hold few values",
}


@dataclass(frozen=True)
class PairedFiles:
    """Images with their masks.

    Attributes:
        masks_of: the masks of each image; of several the union is meant.
        case_of: case name of each image.
        notes: for the dataset card: how they were paired.
        remarks: for the user: what was found, what was left out.
        subset_of: train, val or test of each image, if folders or names say so of all of them.
        group_of: patient, slide or video of each image, if folders say so.
        left_out: files that are no cases on purpose.
    """

    masks_of: Mapping[PurePosixPath, Masks]
    case_of: Mapping[PurePosixPath, str]
    notes: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    subset_of: Mapping[PurePosixPath, Subset] = field(default_factory=dict)
    group_of: Mapping[PurePosixPath, str] = field(default_factory=dict)
    left_out: Masks = ()


def pair_by_pattern(source: SourceFiles, candidates: Sequence[PurePosixPath], images: str, masks: str) -> PairedFiles:
    """Pair by two patterns.

    What ``{name}`` matches in an image is what it stands for in `masks`. Wildcards in `masks` match any file; if both patterns
    have as many, they match the same texts. Several masks of an image are united if `masks` has a wildcard.

    Raises:
        DatasetImportError: all faults: nothing found (with what is there), images without mask, masks without image, two images
            of one name.
        UsageError: the two patterns match the same files.
    """
    pattern = FilePattern(images)
    matches = {key: name for key in candidates if (name := pattern.name(key)) is not None}
    drawn_by = FilePattern(masks, deep=any("/" in name for name in matches.values()))
    drawn = {key: name for key in candidates if (name := drawn_by.name(key)) is not None}
    found = {key: name for key, name in matches.items() if key not in drawn}
    if matches and not found:
        raise UsageError(f"Every file that fits `images`, {images!r}, fits `masks`, {masks!r}, as well.", code="flags")
    if not found:
        raise DatasetImportError(source.location, [_nothing_found(source, images, candidates)])
    same = pattern.has_name and pattern.wildcards == drawn_by.wildcards
    key_of = {key: _composed(name, *(pattern.captured(key) if same else ())) for key, name in found.items()}
    images_of = {key: image for image, key in key_of.items()}
    masks_of: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    faults = []
    for mask, name in drawn.items():
        image = images_of.get(_composed(name, *(drawn_by.captured(mask) if same else ())))
        if image is None:
            message = f"has no image; expected one that fits {images}, for {name!r}."
            faults.append(Fault("missing-image", mask, message))
        else:
            masks_of[image].append(mask)
    expected = {key: masks.replace("{name}", name) for key, name in found.items()}
    hint = "" if pattern.has_name else "if the names share a part only, put {name} for it in both patterns"
    faults = [
        *(Fault("missing-mask", key, f"has no mask; expected {expected[key]}", hint) for key in found if not masks_of[key]),
        *sorted(faults, key=lambda fault: natural_key(fault.path)),
    ]
    plain = {key: key_of[key][0].replace("/", "_") for key in found}
    repeated = Counter(plain.values())
    case_of = {
        key: "_".join((*key_of[key][1:], name)).replace("/", "_") if same and repeated[name] > 1 else name
        for key, name in plain.items()
    }
    faults += name_clashes(case_of, "rename all but one, or choose `images` more narrowly")
    if faults:
        raise DatasetImportError(source.location, faults)
    note = f"Images are the files {images}; the mask of an image is {masks}."
    return PairedFiles({image: tuple(masks_of[image]) for image in found}, case_of, (note,))


def _composed(*texts: str) -> tuple[str, ...]:
    """Names in one Unicode form: macOS writes an accent as a mark of its own."""
    return tuple(unicodedata.normalize("NFC", text) for text in texts)


def name_clashes(case_of: Mapping[PurePosixPath, str], hint: str) -> list[Fault]:
    """List images that would be the same case."""
    keys = defaultdict(list)
    for key, case in case_of.items():
        keys[case].append(str(key))
    return [
        Fault("name-clash", " and ".join(same), f"would all be the case {case!r}", hint)
        for case, same in keys.items()
        if len(same) > 1
    ]


def _nothing_found(source: SourceFiles, images: str, candidates: Sequence[PurePosixPath]) -> Fault:
    """List what is there instead, and suggest a pattern that would match."""
    message = f"no image fits `images`, {images!r}; "
    if not source.files:
        return Fault("no-images", "", f"{message}there are no files at all. Give the folder that holds the images.")
    suffixes = Counter(key.suffix or "no suffix" for key in source.files).most_common()
    counts = ", ".join(f"{suffix} ({count})" for suffix, count in suffixes[:_MAX_SHOWN])
    message += f"found {len(source.files)} files with the suffixes {counts}: {shorten(map(str, source.files))}."
    advice = {images: "capitals and small letters differ", f"**/{images}": "the folders are deeper"}
    for text, reason in advice.items():
        similar = next((key for key in candidates if FilePattern(text).matches_ignoring_case(key)), None)
        if similar is not None:
            return Fault("no-images", "", f"{message} Did you mean {similar}? Then {reason}.")
    return Fault("no-images", "", message)


def pair_by_layout(
    source: SourceFiles, candidates: Sequence[PurePosixPath], has_few_values: Callable[[PurePosixPath], bool]
) -> PairedFiles:
    """Pair by what folders and names say; see `tmunet.datasets._build.detect_layout`.

    Raises:
        DatasetImportError: no layout is recognized; it is ambiguous (with the readings, as patterns); images without mask or masks
            without image.
    """
    readings = find_readings(candidates, has_few_values)
    if not readings:
        raise DatasetImportError(source.location, [_unknown_layout(candidates)])
    if len(readings) > 1:
        raise DatasetImportError(source.location, [_ambiguous(_patterns(reading.pairs) for reading in readings)])
    (reading,) = readings
    if kinds := several_kinds(reading):
        choices = []
        for files in kinds.values():
            chosen = {image: tuple(m for m in masks if m in set(files)) for image, masks in reading.pairs.items()}
            choices.append(_patterns({image: masks for image, masks in chosen.items() if masks}))
        raise DatasetImportError(source.location, [_ambiguous(choices)])
    faults = [
        *(Fault("missing-mask", file, "has no mask", _PATTERNS) for file in reading.lonely_images),
        *(Fault("missing-image", file, "has no image", _PATTERNS) for file in reading.lonely_masks),
    ]
    case_of = _case_names(list(reading.pairs))
    faults += name_clashes(case_of, "rename all but one")
    if faults:
        raise DatasetImportError(source.location, faults)
    subsets = {image: subset for image in reading.pairs if (subset := subset_of(image)) is not None}
    complete = len(subsets) == len(reading.pairs) and len(set(subsets.values())) > 1
    left_out = tuple(file for files in reading.left_out.values() for file in files)
    return PairedFiles(
        reading.pairs,
        case_of,
        (f"Images and masks were told apart {_HOW[reading.how]}.",),
        tuple(_remarks(reading, _groups(reading))),
        subsets if complete else {},  # type: ignore[arg-type]  # the words for subsets are literals
        _groups(reading),
        left_out,
    )


_PATTERNS = (
    "add or remove files so that each image has a mask, or say which files are meant: --images 'PATTERN' --masks "
    "'PATTERN', with {name} for what they share"
)


def _patterns(pairs: Mapping[PurePosixPath, Masks]) -> tuple[str, str]:
    return suggest_patterns({image: masks[0] for image, masks in pairs.items()})


def _ambiguous(readings: Iterable[tuple[str, str]]) -> Fault:
    shown = [f"--images '{images}' --masks '{masks}'" for images, masks in dict.fromkeys(readings)]
    message = f"can be read in {len(shown)} ways: {'; or '.join(shown)}"
    return Fault("ambiguous-layout", "", message, "give the flags of the one that is meant")


def _unknown_layout(candidates: Sequence[PurePosixPath]) -> Fault:
    folders = Counter(str(file.parent) for file in candidates)
    shown = ", ".join(f"{folder} ({pluralize(count, 'file')})" for folder, count in list(folders.items())[:_MAX_SHOWN])
    more = f" and {len(folders) - _MAX_SHOWN} more folders" if len(folders) > _MAX_SHOWN else ""
    found = f"{shown}{more}; such as {shorten(map(str, candidates))}" if candidates else "no image files"
    return Fault("unknown-layout", "", f"expected images and masks of matching names, but found {found}", _PATTERNS)


def _remarks(reading: Reading, groups: Mapping[PurePosixPath, str]) -> list[str]:
    image, masks = next(iter(reading.pairs.items()))
    several = sum(len(masks) > 1 for masks in reading.pairs.values())
    remarks = [
        f"Found {pluralize(len(reading.pairs), 'image')} such as {image}, with masks such as {masks[0]}, told apart "
        f"{_HOW[reading.how]}."
    ]
    if several:
        remarks.append(f"{pluralize(several, 'image')} of several mask files: the mask is their union.")
    remarks += [f"Left out, {why}: {shorten(map(str, files))}." for why, files in reading.left_out.items()]
    folders = {image.parent for image in reading.pairs}
    if groups:
        remarks.append(f"Groups: {len(set(groups.values()))}, by folder or volume, such as {next(iter(groups.values()))}.")
    elif _MANY_FOLDERS <= len(folders) < len(reading.pairs):
        remarks.append(
            f"The images are in {len(folders)} folders such as {image.parent}; if each is a patient, a video or a slide, say so "
            "with --groups, so that no split tears them apart."
        )
    return remarks


def _groups(reading: Reading) -> dict[PurePosixPath, str]:
    """The volume of each image, if all are named as slices; or their folders, if these are named after patients and the like."""
    groups = {image: match[1] for image in reading.pairs if (match := _SLICE.fullmatch(image.stem))}
    if len(groups) == len(reading.pairs):
        return groups
    groups = {}
    for image in reading.pairs:
        named = [part for part in image.parent.parts if words_of(part).is_group and not is_role(part)]
        if named:
            groups[image] = named[-1]
    counts = Counter(groups.values())
    return groups if len(groups) == len(reading.pairs) and 1 < len(counts) < len(groups) else {}


def _case_names(images: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The stem, if no two images share it and it is more than "image"; else with the folders that tell them apart."""
    stems = Counter(image.stem for image in images)
    if max(stems.values()) == 1:
        return {image: _composed(image.stem)[0] for image in images}
    root = common_folder(images)
    names = {}
    for image in images:
        path = image.relative_to(root)
        parts = (*path.parent.parts, path.stem)
        names[image] = "_".join(part for part in parts if not is_role(part))
    if len(set(names.values())) < len(names):
        names = {image: "_".join((*image.relative_to(root).parent.parts, image.stem)) for image in images}
    return {image: _composed(name)[0] for image, name in names.items()}
