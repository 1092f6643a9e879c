"""Open a data set, load its cases, and report every fault before anything is computed on it."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info
from tmunet.data.masks import read_mask
from tmunet.data.read import Pixels, read_image
from tmunet.data.split import Split, random_split, read_split
from tmunet.errors import DataError, InputError, UsageError

_T = TypeVar("_T")
_MAX_WORKERS = 8  # decoding is bound by the processor; more threads only take more memory


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
        """Give the cases of ``"train"``, ``"valid"`` or ``"test"``, in natural order of their names.

        Raises:
            UsageError: another name.
        """
        sides = self.split.to_dict()
        if name not in sides:
            raise UsageError(f"Expected `name` to be 'train', 'valid' or 'test', but got {name!r}.")
        names = frozenset(sides[name])
        return tuple(case for case in self.cases if case.name in names)


def open_dataset(data: Path, split: Path | None = None, seed: int = 0) -> Dataset:
    """Find the cases of a data set and their split.

    No image is decoded as long as the file names are in order; if they are not, every file is looked into, so that the
    report holds all faults at once.

    Args:
        data: the folder, or the split file (``.json``) that lies in it.
        split: a split file; by default ``split.json`` of the folder, and without that file a random split.
        seed: of the random split; not used if there is a split file.

    Raises:
        UsageError: `data` and `split` both name a split file.
        DataError: all faults of the folder, of ``dataset.json``, of the split file, and then of the files.
    """
    folder = data
    if data.suffix.lower() == ".json" and not data.is_dir():
        if split is not None:
            raise UsageError(f"Expected one split file, but got two: `data` is {data} and `split` is {split}.")
        folder, split = data.parent, data
    elif split is None and (folder / "split.json").exists():
        split = folder / "split.json"
    faults: list[str] = []
    info = _noting(faults, lambda: read_dataset_info(folder))
    cases, found = find_cases(folder)
    faults += found
    names = [case.name for case in cases]
    chosen = None
    if names:
        chosen = _noting(faults, lambda: random_split(names, seed) if split is None else read_split(split, names))
    if faults and info is not None:
        complete = [case for case in cases if case.image.is_file() and case.mask is not None and case.mask.is_file()]
        faults += check_cases(complete, info)
    if faults or info is None or chosen is None:
        raise DataError(str(data), faults)
    return Dataset(folder, info, cases, chosen)


def _noting(faults: list[str], step: Callable[[], _T]) -> _T | None:
    try:
        return step()
    except InputError as error:
        faults.extend(_lines(error))
        return None


def _lines(error: InputError) -> list[str]:
    return list(error.faults) if isinstance(error, DataError) else [str(error)]


@dataclass(frozen=True)
class LoadedCase:
    """A decoded case.

    Attributes:
        image: (H, W, C) values of 8 or 16 bits.
        mask: (H, W) labels.
    """

    image: Pixels
    mask: NDArray[np.uint8]


def load_case(case: Case, info: DatasetInfo) -> LoadedCase:
    """Decode the image and the mask of a case; safe to call in threads.

    Raises:
        DataError: all faults of the case: a file that cannot be read, wrong mask values, no mask, or an image
            and a mask of different size.
    """
    faults: list[str] = []
    image = _noting(faults, lambda: read_image(case.image))
    mask = None
    if case.mask is None:
        faults.append(f"{case.image}: has no mask; training and evaluation need one.")
    else:
        path = case.mask
        mask = _noting(faults, lambda: read_mask(path, info.classes, info.ignore_label))
    if image is not None and mask is not None and image.shape[:2] != mask.shape:
        faults.append(
            f"{case.mask}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels (width x height), but "
            f"its image {case.image.name}, turned upright, has {image.shape[1]} x {image.shape[0]}; "
            "export the mask again at the size of the image."
        )
    if image is None or mask is None or faults:
        raise DataError(case.name, faults)
    return LoadedCase(image, mask)


def collect(cases: Sequence[Case], info: DatasetInfo, use: Callable[[int, LoadedCase], None]) -> list[str]:
    """Load many cases in threads, and hand each sound one on.

    Args:
        cases: what to load.
        info: classes and ignore label of the masks.
        use: called in the calling thread, in order, with the index of a case and its arrays; only a few
            loaded cases wait at any time. An `InputError` that it raises is a fault of the case.

    Returns:
        Every fault, in the order of the cases.
    """
    faults: list[str] = []
    for index, future in enumerate(_loading(cases, info)):
        loaded = _noting(faults, future.result)
        if loaded is not None:
            try:
                use(index, loaded)
            except InputError as error:  # such as channels that the network does not take
                faults.append(f"{cases[index].image}: {error}")
    return faults


def _loading(cases: Sequence[Case], info: DatasetInfo) -> Iterator[Future[LoadedCase]]:
    workers = min(_MAX_WORKERS, os.cpu_count() or 1)
    waiting: deque[Future[LoadedCase]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for case in cases:
            waiting.append(pool.submit(load_case, case, info))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()


def check_cases(cases: Sequence[Case], info: DatasetInfo) -> list[str]:
    """Decode everything and return every fault, in the order of the cases."""
    return collect(cases, info, lambda _index, _loaded: None)


def verify(dataset: Dataset) -> None:
    """Decode every case of a data set.

    Raises:
        DataError: all faults of all cases.
    """
    faults = check_cases(dataset.cases, dataset.info)
    if faults:
        raise DataError(str(dataset.folder), faults)
