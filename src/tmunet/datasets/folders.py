"""Import your own data: images and masks in folders, paired by file name patterns."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.split.group_table import read_groups
from tmunet.datasets._build.conversion import remap_labels, stored_labels, threshold_union
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.import_plan import NOT_STATED, DatasetFacts, ImportPlan, PlannedCase, ReadMask
from tmunet.datasets._build.pairing import shorten, unused_files
from tmunet.datasets._build.source import SourceFiles
from tmunet.errors import UsageError

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
_MAX_SHOWN = 5
_GLOB = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class FilePattern:
    """Glob pattern of paths: ``*`` and ``?`` within a name, ``**/`` for folders of any depth, ``{name}`` for the case name.

    Paths are relative to the source, with forward slashes; brackets have no special regexes.

    Attributes:
        text: such as ``"scans/*.jpg"`` or ``"patients/{name}/mask.png"``.
        deep: whether ``{name}`` may hold slashes.

    Raises:
        UsageError: ``{name}`` stands there twice.

    >>> FilePattern("scans/**/*.jpg").name(PurePosixPath("scans/day 1/7.jpg"))
    'day 1/7'
    >>> FilePattern("scans/{name}_img.jpg").name(PurePosixPath("scans/7_img.jpg"))
    '7'
    >>> FilePattern("scans/*.jpg").name(PurePosixPath("labels/7.jpg")) is None
    True
    """

    text: str
    deep: bool = False

    def __post_init__(self) -> None:
        if self.text.count("{name}") > 1:
            raise UsageError(f"Expected {{name}} at most once in a pattern, but got {self.text!r}.", code="value")

    def name(self, path: PurePosixPath) -> str | None:
        """Give what ``{name}`` matches in a path, or None if the path does not match.

        A pattern without ``{name}`` gives the path below its fixed folder, without suffix.
        """
        match = re.fullmatch(self._expression, str(path))
        if match is None:
            return None
        if "{name}" in self.text:
            return match["name"]
        return path.relative_to(self._fixed_folder).with_suffix("").as_posix()

    def matches_ignoring_case(self, path: PurePosixPath) -> bool:
        """Check whether a path matches when case is ignored."""
        return re.fullmatch(self._expression, str(path), re.IGNORECASE) is not None

    @cached_property
    def _expression(self) -> str:
        regexes = {**_GLOB, "{name}": "(?P<name>.+)" if self.deep else "(?P<name>[^/]+)"}
        parts = re.split(r"(\*\*/|\*|\?|\{name\})", PurePosixPath(self.text).as_posix())
        return "".join(regexes.get(part, re.escape(part)) for part in parts)

    @cached_property
    def _fixed_folder(self) -> PurePosixPath:
        folders = PurePosixPath(self.text).parent.parts
        wild = next((place for place, folder in enumerate(folders) if re.search(r"[*?]", folder)), len(folders))
        return PurePosixPath(*folders[:wild])


@dataclass(frozen=True)
class FolderOptions:
    """File name patterns of images and masks, and the mask values.

    Attributes:
        images: pattern relative to the source, such as ``"scans/*.jpg"``, ``"scans/**/*.png"`` or
            ``"patients/{name}/image.png"``. Files that fit `masks` are no images.
        masks: the mask of an image, such as ``"labels/{name}_seg.png"``; ``{name}`` is what stands for ``{name}`` in
            `images`, or else the image's path below the fixed folder of `images`, without its suffix.
        name: of the data set.
        classes: names; the index is the label.
        values: label of each stored value, for masks that hold other values than labels. Any other value is an error. Of a
            palette of grays the values are the gray levels, of any other the indices.
        threshold: of two classes, pixels above it are the second; for masks that hold gray values (0 to 254).
        groups: CSV file with the columns ``case`` and ``group``.
        modality: how the images were taken.
        url: where they are from.
        license: their terms.
        citation: what to cite.

    Raises:
        UsageError: options that do not fit together.
    """

    images: str
    masks: str
    name: str
    classes: tuple[str, ...] = FACTS.classes
    values: Mapping[int, int] | None = None
    threshold: int | None = None
    groups: Path | None = None
    modality: str = FACTS.modality
    url: str = FACTS.url
    license: str = FACTS.license
    citation: str = FACTS.citation

    def __post_init__(self) -> None:
        suffix = PurePosixPath(self.masks).suffix.lower()
        if "{name}" not in self.masks or suffix not in IMAGE_SUFFIXES:
            raise UsageError(
                f"Expected `masks` to hold {{name}} and to end in one of {', '.join(sorted(IMAGE_SUFFIXES))}, "
                f"such as 'labels/{{name}}.png', but got {self.masks!r}.",
                code="value",
            )
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
        wrong = [label for label in (self.values or {}).values() if not 0 <= label < len(self.classes)]
        if wrong or self.values == {}:
            raise UsageError(
                f"Expected `values` to give labels from 0 to {len(self.classes) - 1}, but got {dict(self.values or {})}.",
                code="value",
            )


def plan(source: SourceFiles, options: FolderOptions) -> ImportPlan:
    """Pair images and masks by the two patterns.

    A case is named by what ``{name}`` matches, with ``_`` for slashes. Files without image suffix are skipped.

    Raises:
        DatasetImportError: all faults: nothing found (with what is there), images without mask, masks without image, two images
            of one name.
        UsageError: the two patterns match the same files.
        InputError: the table of groups cannot be read.
    """
    candidates = [key for key in source.files if key.suffix.lower() in IMAGE_SUFFIXES]
    candidates.sort(key=lambda key: natural_key(str(key)))
    images = FilePattern(options.images)
    matches = {key: name for key in candidates if (name := images.name(key)) is not None}
    masks = FilePattern(options.masks, deep=any("/" in name for name in matches.values()))
    drawn = {key for key in candidates if masks.name(key) is not None}
    found = {key: name for key, name in matches.items() if key not in drawn}
    if matches and not found:
        raise UsageError(
            f"Every file that fits `images`, {options.images!r}, fits `masks`, {options.masks!r}, as well.",
            code="flags",
        )
    if not found:
        raise DatasetImportError(source.location, [_nothing_found(source, options, candidates)])
    mask_of = {key: PurePosixPath(options.masks.replace("{name}", name)) for key, name in found.items()}
    faults = [
        Fault("missing-mask", key, f"has no mask; expected {mask}.")
        for key, mask in mask_of.items()
        if mask not in source.files
    ]
    faults += [
        Fault("missing-image", key, f"has no image; expected one that fits {options.images}, for {masks.name(key)!r}.")
        for key in sorted(drawn - set(mask_of.values()), key=str)
    ]
    case_of = {key: name.replace("/", "_") for key, name in found.items()}
    faults += _name_clashes(case_of)
    if faults:
        raise DatasetImportError(source.location, faults)
    groups = read_groups(options.groups, list(case_of.values())) if options.groups else {}
    cases = tuple(
        PlannedCase(case, key, (mask_of[key],), _read_mask(source, mask_of[key], options), groups.get(case))
        for key, case in sorted(case_of.items(), key=lambda item: natural_key(item[1]))
    )
    return ImportPlan(_facts(options), cases, remarks=tuple(unused_files(source, {*found, *mask_of.values()})))


def _name_clashes(case_of: Mapping[PurePosixPath, str]) -> list[Fault]:
    keys = defaultdict(list)
    for key, case in case_of.items():
        keys[case].append(str(key))
    hint = "rename all but one, or choose `images` more narrowly"
    return [
        Fault("name-clash", " and ".join(same), f"would all be the case {case!r}", hint)
        for case, same in keys.items()
        if len(same) > 1
    ]


def _read_mask(source: SourceFiles, mask: PurePosixPath, options: FolderOptions) -> ReadMask:
    if options.threshold is not None:
        return threshold_union(source, [mask], options.threshold)
    if options.values is not None:
        return remap_labels(source, mask, options.values)
    return stored_labels(source, mask, options.classes)


def _facts(options: FolderOptions) -> DatasetFacts:
    notes = [f"Images are the files {options.images}; the mask of an image is {options.masks}."]
    if options.threshold is not None:
        notes.append(f"A pixel is {options.classes[1]} if the value of its mask is above {options.threshold}.")
    if options.values is not None:
        labels = ", ".join(f"{value} is {options.classes[label]}" for value, label in sorted(options.values.items()))
        notes.append(f"Stored values of the masks: {labels}.")
    return replace(
        FACTS,
        name=options.name,
        classes=options.classes,
        modality=options.modality,
        url=options.url,
        license=options.license,
        citation=options.citation,
        group=f"as in {options.groups.name}" if options.groups else None,
        notes=tuple(notes),
    )


def _nothing_found(source: SourceFiles, options: FolderOptions, candidates: list[PurePosixPath]) -> Fault:
    """List what is there instead, and suggest a pattern that would match."""
    message = f"no image fits `images`, {options.images!r}; "
    if not source.files:
        return Fault("no-images", "", f"{message}there are no files at all. Give the folder that holds the images.")
    suffixes = Counter(key.suffix or "no suffix" for key in source.files).most_common()
    counts = ", ".join(f"{suffix} ({count})" for suffix, count in suffixes[:_MAX_SHOWN])
    message += f"found {len(source.files)} files with the suffixes {counts}: {shorten(map(str, source.files))}."
    advice = {options.images: "capitals and small letters differ", f"**/{options.images}": "the folders are deeper"}
    for text, reason in advice.items():
        similar = next((key for key in candidates if FilePattern(text).matches_ignoring_case(key)), None)
        if similar is not None:
            return Fault("no-images", "", f"{message} Did you mean {similar}? Then {reason}.")
    return Fault("no-images", "", message)
