"""Open a data set: its cases, what it says of itself, and its split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info, warn_skipped_files
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.reader import check_cases, collect_errors
from tmunet.data.records import originals
from tmunet.data.split.splits import Split, read_split
from tmunet.data.split.strategies import random_split
from tmunet.errors import DataError, UsageError

Unsplit = Literal["random", "test"]


@dataclass(frozen=True)
class Dataset:
    """A data set folder that is in order by its file names; `verify` looks into the files.

    Attributes:
        folder: holds ``images/`` and ``masks/``.
        info: name and classes.
        cases: all cases, in natural order; the split may leave some out.
        split: which of them train, validate and test.
    """

    folder: Path
    info: DatasetInfo
    cases: tuple[Case, ...]
    split: Split

    def subset(self, name: str) -> tuple[Case, ...]:
        """Give the cases of ``"train"``, ``"val"`` or ``"test"``, in natural order of their names.

        Raises:
            UsageError: another name.
        """
        sides = self.split.to_dict()
        if name not in sides:
            raise UsageError(f"Expected `name` to be 'train', 'val' or 'test', but got {name!r}.")
        names = frozenset(sides[name])
        return tuple(case for case in self.cases if case.name in names)


def open_dataset(data: Path, split: Path | None = None, seed: int = 0, unsplit: Unsplit = "random") -> Dataset:
    """Find the cases of a data set and their split.

    No image is decoded as long as the file names are in order; if they are not, every file is looked into, so that the
    report holds all faults at once.

    Args:
        data: the folder, or the split file (``.json``) that lies in it.
        split: a split file; by default ``split.json`` of the folder, and without that file a random split.
        seed: of the random split; not used if there is a split file.
        unsplit: what a data set without a split file is: "random" splits it 7:1:2, "test" has all its cases to test.

    Warns:
        TMUNetWarning: of what lies beside the images and masks and is not taken for one.

    Raises:
        UsageError: `data` and `split` both name a split file, or `data` names one that does not lie in a data set.
        DataError: all faults of the folder, of ``dataset.json``, of the split file, and then of the files.
    """
    folder = data
    if data.suffix.lower() == ".json" and not data.is_dir():
        if split is not None:
            raise UsageError(f"Expected one split file, but got two: `data` is {data} and `split` is {split}.")
        folder, split = data.parent, data
        if data.exists() and not (folder / "images").is_dir():
            raise UsageError(
                f"{data}: expected a split file in the folder of its data set, but {folder} holds no images/; give the data set "
                f"and the split by themselves: --data DATA --split {data}"
            )
    elif split is None and (folder / "split.json").exists():
        split = folder / "split.json"
    faults: list[str] = []
    info = collect_errors(faults, lambda: read_dataset_info(folder))
    cases, found = find_cases(folder)
    faults += found
    records = {} if info is None else info.records
    cases = tuple(replace(case, group=records[case.name].group) if case.name in records else case for case in cases)
    names = [case.name for case in cases]
    chosen = None
    if names:
        chosen = collect_errors(
            faults,
            lambda: _unsplit(names, seed, unsplit) if split is None else read_split(split, names, originals(records)),
        )
    if faults and info is not None:
        complete = [case for case in cases if case.image.is_file() and case.mask is not None and case.mask.is_file()]
        faults += check_cases(complete, info)
    if faults or info is None or chosen is None:
        raise DataError(str(data), faults)
    for part in ("images", "masks"):
        others = [path for path in (folder / part).iterdir() if path.suffix.lower() not in IMAGE_SUFFIXES]
        warn_skipped_files(folder / part, others, "`tmunet check` lists all of them")
    return Dataset(folder, info, cases, chosen)


def _unsplit(names: Sequence[str], seed: int, how: Unsplit) -> Split:
    return random_split(names, seed) if how == "random" else Split(train=(), test=tuple(names))


def verify(dataset: Dataset) -> None:
    """Decode every case of a data set.

    Raises:
        DataError: all faults of all cases.
    """
    faults = check_cases(dataset.cases, dataset.info)
    if faults:
        raise DataError(str(dataset.folder), faults)
