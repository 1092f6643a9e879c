"""`tmunet import`: convert a downloaded data set to a data set folder."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.cli.parser import parse
from tmunet.errors import InputError, UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.datasets._build.import_dataset import Imported
    from tmunet.datasets.folders import FolderOptions


QUPATH = "qupath"


@dataclass(frozen=True)
class ImportConfig:
    """Convert a downloaded data set to a data set folder (images/, masks/, dataset.json, dataset card)."""

    name: str
    """Data set."""
    source: str
    """Download."""
    destination: str
    """Folder to make."""
    images: str | None = None
    """folders: pattern of the images in SOURCE, such as 'scans/*.jpg'."""
    masks: str | None = None
    """folders: file of an image's mask, such as 'labels/{name}_seg.png'. qupath: the mask to write; by default masks/NAME.png
    beside the folder of the image if that is called images, else in it."""
    title: str | None = None
    """folders: name of the data set; by default that of the folder to make."""
    classes: str = "background,foreground"
    """folders, qupath: class names; the index of a name is its label. qupath: by default those of dataset.json beside the folder
    of the masks, or background and the one class that is annotated."""
    values: str | None = None
    """folders: mask value of each class, such as 0=background,128=polyp."""
    threshold: int | None = None
    """folders: gray masks of two classes: pixels above this value are the second one."""
    groups: str | None = None
    """folders: CSV file with the columns case,group: patient, video or slide of each case."""
    modality: str | None = None
    """folders: imaging modality."""
    url: str | None = None
    """folders: where the images are distributed."""
    license: str | None = None
    """folders: license of the images."""
    citation: str | None = None
    """folders: the paper to cite."""


def run(arguments: Sequence[str]) -> int:
    """Import, copy the fixed splits of the data set, and print the next steps."""
    from tmunet.datasets.importers import list_sets

    config = parse(
        ImportConfig,
        arguments,
        "import",
        positional={
            "name": f"one of {', '.join(list_sets())}; folders is for your own images and masks, nnunet for its raw data "
            f"format, {QUPATH} for annotations of one image",
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
    from tmunet.datasets import folders
    from tmunet.datasets._build.import_dataset import import_dataset
    from tmunet.datasets.importers import find_name, get_importer

    name = find_name(config.name)
    options = _folder_options(config, name)
    importer = get_importer(name) if options is None else partial(folders.plan, options=options)
    return import_dataset(importer, Path(config.source), Path(config.destination), command, name)


def _import_qupath(config: ImportConfig) -> str:
    """Write the mask of an image from its annotations."""
    from tmunet.formats.qupath_masks import draw_annotations, find_classes, mask_path
    from tmunet.prediction.mask_files import write_mask

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


def _folder_options(config: ImportConfig, name: str) -> "FolderOptions | None":
    """Options of the importer `folders`; None for the others, which have a fixed layout."""
    from tmunet.datasets.folders import FolderOptions

    given = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in ("name", "source", "destination") and getattr(config, field.name) != field.default
    }
    if name != "folders":
        if given:
            raise UsageError(
                f"--{next(iter(given))} is for `tmunet import folders`; {name} has a fixed layout.", code="flags"
            )
        return None
    if config.images is None or config.masks is None:
        raise UsageError(
            "Expected --images and --masks, such as --images 'scans/*.jpg' --masks 'labels/{name}_seg.png'.",
            code="missing",
        )
    classes = tuple(part.strip() for part in config.classes.split(","))
    title = given.pop("title", Path(config.destination).resolve().name)
    values = _values(config.values, classes) if config.values else None
    groups = Path(config.groups) if config.groups else None
    return FolderOptions(**{**given, "name": title, "classes": classes, "values": values, "groups": groups})


def _values(text: str, classes: Sequence[str]) -> Mapping[int, int]:
    """`0=background,128=polyp` -> {0: 0, 128: 1}."""
    labels: dict[int, int] = {}
    for pair in text.split(","):
        stored, _, name = (part.strip() for part in pair.partition("="))
        if not stored.isdecimal() or name not in classes or int(stored) in labels:
            raise UsageError(
                f"Expected `values` to be pairs such as 0={classes[0]},128={classes[1]} with the classes {list(classes)}, "
                f"each value once, but got {pair!r}.",
                code="value",
            )
        labels[int(stored)] = classes.index(name)
    return labels


def _summary(imported: "Imported") -> str:
    folder, quoted = imported.folder, shlex.quote(str(imported.folder))
    lines = [f"{imported.info.name}: {pluralize(len(imported.cases), 'case')} in {folder}"]
    lines += [f"Remark: {remark}" for remark in imported.remarks]
    if (folder / "split.json").exists():
        lines.append(f"Split: {folder / 'split.json'}, the fixed split of this data set; more in {folder / 'splits'}.")
    else:
        kind = " --kind official" if (folder / "official_split.json").exists() else ""
        lines.append(f"Next: tmunet split {quoted}{kind}")
    lines.append(f"Check it: tmunet check {quoted}, tmunet show {quoted}. License: {folder / 'README.md'}")
    return "\n".join(lines)
