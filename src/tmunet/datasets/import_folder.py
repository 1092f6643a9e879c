"""Import any folder or archive of images and masks: `tmunet.datasets.import_folder.import_folder`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tmunet.data.cases import Case
from tmunet.data.split.planner import SplitPlan, make_splits
from tmunet.data.split.scan import scan_cases
from tmunet.data.split.splits import OFFICIAL_SPLIT, read_official_split, write_split
from tmunet.datasets import folders
from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.import_dataset import Imported, import_dataset
from tmunet.datasets._build.import_plan import NOT_STATED, ImportPlan
from tmunet.datasets._build.source import SourceFiles
from tmunet.datasets.folders import FolderOptions
from tmunet.datasets.importers import RECOGNIZED, get_importer, list_sets
from tmunet.errors import InputError

_LAST = ("folders",)  # asks for patterns


def import_folder(
    source: str | Path,
    destination: str | Path,
    *,
    images: str | None = None,
    masks: str | None = None,
    name: str | None = None,
    classes: Iterable[str] = folders.FACTS.classes,
    values: Mapping[int, int] | None = None,
    threshold: int | None = None,
    foreground: Literal["any"] | None = None,
    groups: str | Path | None = None,
    train: Iterable[str] = (),
    val: Iterable[str] = (),
    test: Iterable[str] = (),
    modality: str = NOT_STATED,
    url: str = NOT_STATED,
    license: str = NOT_STATED,
    citation: str = NOT_STATED,
    command: str = "tmunet.datasets.import_folder.import_folder",
) -> Imported:
    """Import images and masks of any common layout to a data set folder; what `tmunet import SOURCE DESTINATION` does.

    Without `images` and `masks` the layout is found by the names of folders and files: ``images/`` and ``masks/``, ``7.png`` and
    ``7_mask.png``, folders of patients, train, val and test folders. A public data set that is known by its layout is imported by
    its own importer. Nothing is thresholded or mapped unless `threshold`, `values` or `foreground` say so.

    Args:
        source: folder or archive.
        destination: a new or empty folder.
        images: pattern of the images; see `FolderOptions`.
        masks: pattern of the masks.
        name: of the data set; by default that of the destination.
        classes: names; the index is the label.
        values: label of each stored value.
        threshold: pixels above it are the second of two classes.
        foreground: "any": every value but 0 is the second of two classes, as in masks that number objects.
        groups: CSV table with the columns case and group.
        train: folders whose images are for training, relative to `source`.
        val: the same for validation; if it is missing, a part of train is taken, in whole groups.
        test: the same for testing.
        modality: imaging modality.
        url: where the images are distributed.
        license: of the images.
        citation: the paper to cite.
        command: how it was called, for the data set card.

    Raises:
        UsageError: arguments that do not fit, or a destination that is in use.
        DatasetImportError: all faults; nothing was written. An ambiguous layout is a fault of the kind "ambiguous-layout", with
            the patterns of each reading.
        InputError: the source or the table of groups cannot be read, or the destination cannot be written.
    """
    to = Path(destination)
    title = to.resolve().name if name is None else name
    table = None if groups is None else Path(groups)
    options = FolderOptions(
        images, masks, title, tuple(classes), values, threshold, foreground, table,
        tuple(train), tuple(val), tuple(test), modality, url, license, citation,
    )  # fmt: skip
    return import_with(options, Path(source), to, command, any_layout=images is None)


def import_with(options: FolderOptions, source: Path, destination: Path, command: str, any_layout: bool) -> Imported:
    """Import by options; `any_layout` allows that the layout of a public data set is recognized."""
    recognized: list[str] = []

    def importer(files: SourceFiles) -> ImportPlan:
        if any_layout and options.is_default:
            return _plan_any(files, options, recognized)
        return folders.plan(files, options)

    imported = import_dataset(importer, source, destination, command, lambda: recognized[0] if recognized else None)
    return _with_split(imported)


def _plan_any(source: SourceFiles, options: FolderOptions, recognized: list[str]) -> ImportPlan:
    """Plan by the importer of the data set that the source is laid out as, else by its names; `recognized` gets its name."""
    for known in RECOGNIZED:
        if (plan := _try(known, source)) is not None:
            recognized.append(known)
            return plan
    try:
        return folders.plan(source, options)
    except DatasetImportError:
        plans = {known: plan for known in list_sets() if known not in _LAST and (plan := _try(known, source))}
        if len(plans) != 1:
            raise
        ((known, plan),) = plans.items()
        recognized.append(known)
        return plan


def _try(known: str, source: SourceFiles) -> ImportPlan | None:
    """The plan of a named data set if the source is laid out so, without any fault; else None."""
    try:
        plan = get_importer(known)(source)
    except InputError:
        return None
    return replace(plan, remarks=(f"Laid out as {known}: imported as `tmunet import {known}` does.", *plan.remarks))


def _with_split(imported: Imported) -> Imported:
    """Write the split that the folders of the source make to ``split.json``, unless there is one."""
    folder = imported.folder
    if (folder / "split.json").exists() or not (folder / OFFICIAL_SPLIT).exists():
        return imported
    names = [case.name for case in imported.cases]
    split = read_official_split(folder, names)
    if split.train and not split.val:
        inside = _cases(imported.cases, split.train)
        try:
            (split,) = make_splits(SplitPlan("official"), scan_cases(inside, imported.info, str(folder)), split)
        except InputError as error:
            return replace(imported, remarks=(*imported.remarks, f"No split.json: {error}"))
        remark = (
            f"There are no images for validation: {len(split.val)} of those for training are taken, in whole groups."
        )
        imported = replace(imported, remarks=(*imported.remarks, remark))
    write_split(folder / "split.json", split)
    return imported


def _cases(cases: Iterable[Case], names: Iterable[str]) -> list[Case]:
    wanted = frozenset(names)
    return [case for case in cases if case.name in wanted]
