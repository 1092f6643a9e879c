"""Folders: any images and masks whose file names tell which belong together."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.split.group_table import read_groups
from tmunet.datasets._build.binary_masks import union_above
from tmunet.datasets._build.import_plan import NOT_STATED, Draw, Plan, PlannedCase, SetFacts
from tmunet.datasets._build.label_masks import as_stored, mapped
from tmunet.datasets._build.pairing import listing, not_used
from tmunet.datasets._build.patterns import FilePattern
from tmunet.datasets._build.source import Source
from tmunet.errors import DataError, UsageError

FACTS = SetFacts(
    name="folders",
    version=2,
    classes=("background", "foreground"),
    modality=NOT_STATED,
    url=NOT_STATED,
    license=NOT_STATED,
    citation=NOT_STATED,
    layout="any image files, and for each a mask file with a name that follows from the image's",
)
_SHOWN = 5


@dataclass(frozen=True)
class FolderOptions:
    """How images and masks are named and what the masks hold.

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
                f"such as 'labels/{{name}}.png', but got {self.masks!r}."
            )
        if not self.name.strip():
            raise UsageError("Expected `name` to be the name of the data set, but it is empty.")
        if not 2 <= len(set(self.classes)) == len(self.classes) <= 255 or not all(c.strip() for c in self.classes):
            raise UsageError(f"Expected `classes` to be 2 to 255 different names, but got {list(self.classes)}.")
        if self.threshold is not None and (self.values is not None or len(self.classes) != 2):
            raise UsageError("Expected `threshold` for two classes and without `values`, but got more; leave it out.")
        if self.threshold is not None and not 0 <= self.threshold <= 254:
            raise UsageError(f"Expected `threshold` to be between 0 and 254, but got {self.threshold}.")
        wrong = [label for label in (self.values or {}).values() if not 0 <= label < len(self.classes)]
        if wrong or self.values == {}:
            raise UsageError(
                f"Expected `values` to give labels from 0 to {len(self.classes) - 1}, but got {dict(self.values or {})}."
            )


def plan(source: Source, options: FolderOptions) -> Plan:
    """Pair images and masks by the two patterns.

    A case is named by what stands for ``{name}``, with ``_`` for slashes. Files that are no images by their suffix are
    passed over.

    Raises:
        DataError: all faults: nothing found (with what is there), files without a partner, two images of one name.
        UsageError: the two patterns find the same files.
        InputError: the table of groups cannot be read.
    """
    pictures = [key for key in source.files if key.suffix.lower() in IMAGE_SUFFIXES]
    pictures.sort(key=lambda key: natural_key(str(key)))
    images = FilePattern(options.images)
    fitting = {key: name for key in pictures if (name := images.name(key)) is not None}
    masks = FilePattern(options.masks, deep=any("/" in name for name in fitting.values()))
    drawn = {key for key in pictures if masks.name(key) is not None}
    found = {key: name for key, name in fitting.items() if key not in drawn}
    if fitting and not found:
        raise UsageError(
            f"Every file that fits `images`, {options.images!r}, fits `masks`, {options.masks!r}, as well."
        )
    if not found:
        raise DataError(str(source.location), [_nothing_found(source, options, pictures)])
    partner = {key: PurePosixPath(options.masks.replace("{name}", name)) for key, name in found.items()}
    faults = [f"{key}: has no mask; expected {mask}." for key, mask in partner.items() if mask not in source.files]
    faults += [
        f"{key}: has no image; expected one that fits {options.images}, for the name {masks.name(key)!r}."
        for key in sorted(drawn - set(partner.values()), key=str)
    ]
    case_of = {key: name.replace("/", "_") for key, name in found.items()}
    faults += _clashes(case_of)
    if faults:
        raise DataError(str(source.location), faults)
    groups = read_groups(options.groups, list(case_of.values())) if options.groups else {}
    cases = tuple(
        PlannedCase(case, key, (partner[key],), _draw(source, partner[key], options), groups.get(case))
        for key, case in sorted(case_of.items(), key=lambda item: natural_key(item[1]))
    )
    return Plan(_facts(options), cases, remarks=not_used(source, {*found, *partner.values()}))


def _clashes(case_of: Mapping[PurePosixPath, str]) -> list[str]:
    keys = defaultdict(list)
    for key, case in case_of.items():
        keys[case].append(str(key))
    return [
        f"{' and '.join(same)}: would all be the case {case!r}; rename all but one, or choose `images` more narrowly."
        for case, same in keys.items()
        if len(same) > 1
    ]


def _draw(source: Source, mask: PurePosixPath, options: FolderOptions) -> Draw:
    if options.threshold is not None:
        return union_above(source, [mask], options.threshold)
    if options.values is not None:
        return mapped(source, mask, options.values)
    return as_stored(source, mask, options.classes)


def _facts(options: FolderOptions) -> SetFacts:
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


def _nothing_found(source: Source, options: FolderOptions, pictures: list[PurePosixPath]) -> str:
    """Say what is there instead, and which pattern would find something."""
    fault = f"no image fits `images`, {options.images!r}; "
    if not source.files:
        return fault + "there are no files at all. Point at the folder that holds the images."
    suffixes = Counter(key.suffix or "no suffix" for key in source.files).most_common()
    counts = ", ".join(f"{suffix} ({count})" for suffix, count in suffixes[:_SHOWN])
    fault += f"found {len(source.files)} files with the suffixes {counts}: {listing(map(str, source.files))}."
    advice = {options.images: "capitals and small letters differ", f"**/{options.images}": "the folders lie deeper"}
    for text, reason in advice.items():
        meant = next((key for key in pictures if FilePattern(text).fits_in_other_case(key)), None)
        if meant is not None:
            return f"{fault} Did you mean {meant}? Then {reason}."
    return fault
