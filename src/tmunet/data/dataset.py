"""Open a data set folder: cases, ``dataset.json`` and the train/val/test split."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tmunet.data.cases import (
    Case,
    DatasetInfo,
    find_cases,
    list_folder,
    read_dataset_info,
    unknown_case,
    warn_skipped_files,
)
from tmunet.data.io.dicom import patient_of
from tmunet.data.reader import check_cases, collect_errors
from tmunet.data.records import originals
from tmunet.data.split.splits import Split, read_split
from tmunet.data.split.strategies import random_split
from tmunet.errors import DataError, UsageError

Unsplit = Literal["random", "test"]


@dataclass(frozen=True)
class Dataset:
    """A data set folder whose file names have no fault; `verify` decodes the files.

    Attributes:
        folder: holds ``images/`` and ``masks/``.
        info: name and classes.
        cases: all cases, in natural order; the split may leave some out.
        split: train, val and test.
    """

    folder: Path
    info: DatasetInfo
    cases: tuple[Case, ...]
    split: Split

    def subset(self, name: str) -> tuple[Case, ...]:
        """Return the cases of ``"train"``, ``"val"`` or ``"test"``, in natural order of their names.

        Raises:
            UsageError: another name.
        """
        sides = self.split.to_dict()
        if name not in sides:
            raise UsageError(f"Expected `name` to be 'train', 'val' or 'test', but got {name!r}.", code="subset")
        names = frozenset(sides[name])
        return tuple(case for case in self.cases if case.name in names)


def open_dataset(data: Path, split: Path | None = None, seed: int = 0, unsplit: Unsplit = "random") -> Dataset:
    """Open a data set: find its cases and its split.

    No image is decoded unless a file name, ``dataset.json`` or the split has a fault; then all files are, so that the
    report holds all faults at once.

    Args:
        data: the folder, or a split file (``.json``) in it.
        split: a split file; by default ``split.json`` of the folder, and without that file a random split.
        seed: of the random split; not used if there is a split file.
        unsplit: without a split file, "random" splits 7:1:2, "test" puts all cases into test.

    Warns:
        TMUNetWarning: of skipped files beside the images and masks.

    Raises:
        UsageError: `data` and `split` both name a split file, or `data` is a split file outside a data set.
        DataError: all faults of the folder, of ``dataset.json``, of the split file, and then of the files.
    """
    folder = data
    if data.suffix.lower() == ".json" and not data.is_dir():
        if split is not None:
            raise UsageError(
                f"Expected one split file, but got two: `data` is {data} and `split` is {split}.", code="two-splits"
            )
        folder, split = data.parent, data
        if data.exists() and not (folder / "images").is_dir():
            raise UsageError(
                f"{data}: expected a split file in the folder of its data set, but {folder} holds no images/; give the data set "
                f"and the split by themselves: --data DATA --split {data}",
                code="split-elsewhere",
                path=data,
            )
    elif split is None and (folder / "split.json").exists():
        split = folder / "split.json"
    faults: list[str] = []
    info = collect_errors(faults, lambda: read_dataset_info(folder))
    cases, found = find_cases(folder)
    faults += found
    records = {} if info is None else info.records
    cases = tuple(replace(case, group=records[case.name].group) if case.name in records else case for case in cases)
    cases = tuple(replace(case, group=case.group or patient_of(case.image)) for case in cases)
    names = [case.name for case in cases]
    if info is not None and info.spacings:
        cases = tuple(replace(case, spacing=info.spacings.get(case.name)) for case in cases)
        unknown = [name for name in info.spacings if name not in set(names)]
        faults += [
            f"{folder / 'dataset.json'}: spacing_mm: {unknown_case(name, names, k)}" for k, name in enumerate(unknown)
        ]

    def choose() -> Split:
        if split is not None:
            return read_split(split, names, originals(records))
        return random_split(names, seed) if unsplit == "random" else Split(train=(), test=tuple(names))

    chosen = collect_errors(faults, choose) if names else None
    if faults and info is not None:
        complete = [case for case in cases if case.image.is_file() and case.mask is not None and case.mask.is_file()]
        faults += check_cases(complete, info)
    if faults or info is None or chosen is None:
        raise DataError(str(data), faults)
    for part in (folder / "images", folder / "masks"):
        warn_skipped_files(part, list_folder(part).others, "`tmunet check` lists all of them")
    return Dataset(folder, info, cases, chosen)


def verify(dataset: Dataset) -> None:
    """Decode every case of a data set.

    Raises:
        DataError: all faults of all cases.
    """
    faults = check_cases(dataset.cases, dataset.info)
    if faults:
        raise DataError(str(dataset.folder), faults)
