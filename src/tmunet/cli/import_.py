"""`tmunet import`: convert a downloaded data set, or any folder of images and masks, to a data set folder."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmunet.cli.parser import parse
from tmunet.errors import InputError, UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.datasets._build.import_dataset import Imported
    from tmunet.datasets.folders import FolderOptions


QUPATH = "qupath"


@dataclass(frozen=True)
class ImportConfig:
    """Convert images and masks to a data set folder (images/, masks/, dataset.json, dataset card).

    `tmunet import SOURCE DESTINATION` finds images and masks by itself; `tmunet import NAME SOURCE DESTINATION` is for a public
    data set, as it was downloaded. The flags are for your own data.
    """

    name: str
    """Data set."""
    source: str
    """Download."""
    destination: str | None = None
    """Folder to make."""
    images: str | None = None
    """pattern of the images in SOURCE, such as 'scans/*.jpg' or 'patients/{name}/image.png'."""
    masks: str | None = None
    """mask of an image, such as 'labels/{name}_seg.png'; {name} is what it shares with the image. qupath: the mask to write; by
    default masks/NAME.png beside the folder of the image if that is called images, else in it."""
    title: str | None = None
    """name of the data set; by default that of the folder to make."""
    classes: str = "background,foreground"
    """class names; the index of a name is its label. qupath: by default those of dataset.json beside the folder of the masks, or
    background and the one class that is annotated."""
    values: str | None = None
    """mask values of each class, such as 0=background,128=polyp or 0=background,1-255=gland."""
    threshold: int | None = None
    """gray masks of two classes: pixels above this value are the second one."""
    foreground: Literal["any"] | None = None
    """masks that number their objects: every value but 0 is the second of two classes."""
    groups: str | None = None
    """CSV file with the columns case,group: patient, video or slide of each case."""
    train: str | None = None
    """folders of SOURCE with the images for training, separated by commas."""
    val: str | None = None
    """folders with the images for validation; without them a part of train is taken."""
    test: str | None = None
    """folders with the images for testing."""
    modality: str | None = None
    """imaging modality."""
    url: str | None = None
    """where the images are distributed."""
    license: str | None = None
    """license of the images."""
    citation: str | None = None
    """the paper to cite."""


def run(arguments: Sequence[str]) -> int:
    """Import, write the splits of the data set, and print the next steps."""
    from tmunet.datasets.importers import list_sets

    config = parse(
        ImportConfig,
        arguments,
        "import",
        positional={
            "name": f"public data set or format: one of {', '.join(list_sets())}, or {QUPATH} for annotations of one image; left "
            "out, the layout is found by the names of folders and files",
            "source": f"folder or archive (.zip, .tar) as it was downloaded; {QUPATH}: GeoJSON file",
            "destination": f"folder to make; {QUPATH}: the image",
        },
        notes=f"{QUPATH} makes no data set but the mask of one image. An import that fails or is interrupted writes nothing; run "
        "the command again.",
    )
    if config.name == QUPATH:
        print(_import_qupath(config))
        return 0
    print(_summary(_import(config, shlex.join(["tmunet", "import", *arguments]))))
    return 0


def _import(config: ImportConfig, command: str) -> "Imported":
    from tmunet.datasets._build.import_dataset import import_dataset
    from tmunet.datasets.import_folder import import_with
    from tmunet.datasets.importers import find_name, get_importer

    if config.destination is None:
        _check_two_words(config)
        source, destination = Path(config.name), Path(config.source)
        options = _folder_options(config, destination)
        return import_with(options, source, destination, command, any_layout=True)
    name, source, destination = find_name(config.name), Path(config.source), Path(config.destination)
    if name == "folders":
        if config.images is None or config.masks is None:
            raise UsageError(
                "Expected --images and --masks, such as --images 'scans/*.jpg' --masks 'labels/{name}_seg.png'; or leave "
                "`folders` out: `tmunet import SOURCE DESTINATION` finds images and masks by itself.",
                code="missing",
            )
        return import_with(_folder_options(config, destination), source, destination, command, any_layout=False)
    if given := _given(config):
        raise UsageError(f"--{given[0]} is for your own folders; {name} has a fixed layout.", code="flags")
    return import_dataset(get_importer(name), source, destination, command, name)


def _given(config: ImportConfig) -> list[str]:
    """The flags that were given."""
    words = ("name", "source", "destination")
    return [
        field.name
        for field in fields(config)
        if field.name not in words and getattr(config, field.name) != field.default
    ]


def _check_two_words(config: ImportConfig) -> None:
    """Refuse `tmunet import NAME SOURCE`, where the destination was forgotten."""
    from tmunet.datasets.importers import find_name

    if Path(config.name).exists():
        return
    try:
        name = find_name(config.name)
    except UsageError:
        return
    raise UsageError(
        f"Expected a folder to make, as in `tmunet import {name} {config.source} DESTINATION`.", code="missing"
    )


def _import_qupath(config: ImportConfig) -> str:
    """Write the mask of an image from its annotations."""
    from tmunet.formats.qupath_masks import draw_annotations, find_classes, mask_path
    from tmunet.prediction.mask_files import write_mask

    if config.destination is None:
        raise UsageError(f"Expected an image, as in `tmunet import {QUPATH} {config.source} IMAGE`.", code="missing")
    source, image = Path(config.source), Path(config.destination)
    allowed = ("name", "source", "destination", "masks", "classes")
    for field in fields(config):
        if field.name not in allowed and getattr(config, field.name) != field.default:
            raise UsageError(f"--{field.name} is for `tmunet import folders`, not for {QUPATH}.", code="flags")
    path = Path(config.masks) if config.masks else mask_path(image)
    given = None if config.classes == ImportConfig.classes else tuple(n.strip() for n in config.classes.split(","))
    classes = find_classes(source, path, given)
    mask, counts = draw_annotations(source, image, classes)
    if path.exists():
        raise InputError(
            f"{path}: is there already; move it away, or name another with --masks.", code="exists", path=path
        )
    write_mask(path, mask, classes)
    shown = ", ".join(f"{label} = {name} ({counts[label]})" for label, name in enumerate(classes) if label)
    return f"{path}: {pluralize(sum(counts), 'annotation')}: {shown}"


def _folder_options(config: ImportConfig, destination: Path) -> "FolderOptions":
    from tmunet.datasets.folders import FolderOptions

    plain = ("modality", "url", "license", "citation", "threshold", "foreground")
    given = {name: getattr(config, name) for name in _given(config) if name in plain}
    classes = tuple(part.strip() for part in config.classes.split(","))
    return FolderOptions(
        config.images,
        config.masks,
        config.title or destination.resolve().name,
        classes,
        _values(config.values, classes) if config.values else None,
        groups=Path(config.groups) if config.groups else None,
        train=_folders(config.train),
        val=_folders(config.val),
        test=_folders(config.test),
        **given,
    )


def _folders(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _values(text: str, classes: Sequence[str]) -> Mapping[int, int]:
    """Read labels of mask values: ``0=background,1-255=gland`` -> {0: 0, 1: 1, ... 255: 1}."""
    labels: dict[int, int] = {}
    for pair in text.split(","):
        stored, _, name = (part.strip() for part in pair.partition("="))
        span = re.fullmatch(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", stored)
        first, last = (0, -1) if span is None else (int(span[1]), int(span[2] or span[1]))
        values = range(first, last + 1)
        if not values or last > 65535 or name not in classes or any(value in labels for value in values):
            raise UsageError(
                f"Expected `values` to be pairs such as 0={classes[0]},128={classes[1]} or 1-255={classes[1]} with the classes "
                f"{list(classes)}, each value once, but got {pair!r}.",
                code="value",
            )
        labels |= dict.fromkeys(values, classes.index(name))
    return labels


def _summary(imported: "Imported") -> str:
    folder, quoted = imported.folder, shlex.quote(str(imported.folder))
    lines = [f"{imported.info.name}: {pluralize(len(imported.cases), 'case')} in {folder}"]
    lines += [f"Remark: {remark}" for remark in imported.remarks]
    if (folder / "split.json").exists():
        fixed = (folder / "splits").is_dir()
        kind = f"fixed split of this data set; more in {folder / 'splits'}" if fixed else "split of its own folders"
        lines.append(f"Split: {folder / 'split.json'}, the {kind}.")
    else:
        kind = " --kind official" if (folder / "official_split.json").exists() else ""
        lines.append(f"Next: tmunet split {quoted}{kind}")
    lines.append(f"Check it: tmunet check {quoted}, tmunet show {quoted}. License: {folder / 'README.md'}")
    return "\n".join(lines)
