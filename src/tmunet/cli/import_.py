"""`tmunet import`: make a data set folder from a data set as it was downloaded."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.cli.parser import parse
from tmunet.errors import UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.datasets._build.build import Imported
    from tmunet.datasets._build.import_plan import Plan
    from tmunet.datasets._build.source import Source
    from tmunet.datasets.folders import FolderOptions


@dataclass(frozen=True)
class ImportConfig:
    """Make a data set folder (images/, masks/, dataset.json, a data card) from a data set as it was downloaded."""

    name: str
    """Which data set."""
    source: str
    """What was downloaded."""
    destination: str
    """Folder to make."""
    images: str | None = None
    """folders: pattern of the images in SOURCE, such as 'scans/*.jpg'."""
    masks: str | None = None
    """folders: file of an image's mask, such as 'labels/{name}_seg.png'."""
    title: str | None = None
    """folders: name of the data set; by default that of the folder to make."""
    classes: str = "background,foreground"
    """folders: class names; the place of a name is its label."""
    values: str | None = None
    """folders: what the masks hold for each class, such as 0=background,128=polyp."""
    threshold: int | None = None
    """folders: gray masks of two classes: above this value lies the second one."""
    groups: str | None = None
    """folders: CSV file with the columns case,group: which patient, video or slide each case is of."""
    modality: str | None = None
    """folders: how the images were taken."""
    url: str | None = None
    """folders: where they are from."""
    license: str | None = None
    """folders: their terms."""
    citation: str | None = None
    """folders: what to cite."""


def run(arguments: Sequence[str]) -> int:
    """Import, give the set its fixed splits, and say what to do next."""
    from tmunet.datasets.registry import list_sets

    config = parse(
        ImportConfig,
        arguments,
        "import",
        positional={
            "name": f"one of {', '.join(list_sets())}; folders is for images and masks of your own, nnunet for raw data sets",
            "source": "folder or archive (.zip, .tar) as it was downloaded",
            "destination": "folder to make",
        },
        notes="An interrupted import goes on when the same command is given again.",
    )
    print(_told(_import(config, shlex.join(["tmunet", "import", *arguments]))))
    return 0


def _import(config: ImportConfig, command: str) -> "Imported":
    from tmunet.datasets._build.build import build, check_destination
    from tmunet.datasets._build.source import open_source
    from tmunet.datasets.registry import find_name

    name = find_name(config.name)
    options = _folder_options(config, name)
    destination = Path(config.destination)
    check_destination(destination, Path(config.source))
    staging = destination.resolve().with_name(f".{destination.resolve().name}.unpacked")
    source = open_source(Path(config.source), staging)
    imported = build(_plan(name, source, options), source, destination, command, name)
    shutil.rmtree(staging, ignore_errors=True)
    return imported


def _plan(name: str, source: "Source", options: "FolderOptions | None") -> "Plan":
    from tmunet.datasets.registry import get_importer

    if options is None:
        return get_importer(name)(source)
    from tmunet.datasets.folders import plan

    return plan(source, options)


def _folder_options(config: ImportConfig, name: str) -> "FolderOptions | None":
    """The options of the importer `folders`; the named sets know all that themselves."""
    from tmunet.datasets.folders import FolderOptions

    given = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in ("name", "source", "destination") and getattr(config, field.name) != field.default
    }
    if name != "folders":
        if given:
            raise UsageError(f"--{next(iter(given))} is for `tmunet import folders`; {name} knows its own layout.")
        return None
    if config.images is None or config.masks is None:
        raise UsageError(
            "Expected --images and --masks, such as --images 'scans/*.jpg' --masks 'labels/{name}_seg.png'."
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
                f"each value once, but got {pair!r}."
            )
        labels[int(stored)] = classes.index(name)
    return labels


def _told(imported: "Imported") -> str:
    folder, quoted = imported.folder, shlex.quote(str(imported.folder))
    lines = [f"{imported.info.name}: {pluralize(len(imported.cases), 'case')} in {folder}"]
    lines += [f"Remark: {remark}" for remark in imported.remarks]
    if (folder / "split.json").exists():
        lines.append(
            f"Split: {folder / 'split.json'}, the same for all who import this set; more in {folder / 'splits'}."
        )
    else:
        kind = " --kind official" if (folder / "official_split.json").exists() else ""
        lines.append(f"Next: tmunet split {quoted}{kind}")
    lines.append(f"Look at it: tmunet check {quoted}, tmunet show {quoted}. Its terms: {folder / 'README.md'}")
    return "\n".join(lines)
