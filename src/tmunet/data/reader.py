"""Load cases, many at a time, and report every fault of theirs before anything is computed on them."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.io.images import Pixels, read_image
from tmunet.data.io.masks import read_mask_and_legend
from tmunet.data.io.palettes import MEND, Legend, find_conflict
from tmunet.errors import DataError, InputError

_T = TypeVar("_T")
Legends = list[tuple[str, Legend | None]]
"""Of each mask file, by its path, how its palette shows the labels."""
_MAX_WORKERS = 8  # decoding is bound by the processor; more threads only take more memory


@dataclass(frozen=True)
class LoadedCase:
    """A decoded case.

    Attributes:
        image: (H, W, C) values of 8 or 16 bits.
        mask: (H, W) labels.
        legend: how the palette of the mask file shows them, if it has one.
    """

    image: Pixels
    mask: NDArray[np.uint8]
    legend: Legend | None = None


def load_case(case: Case, info: DatasetInfo) -> LoadedCase:
    """Decode the image and the mask of a case; safe to call in threads.

    Raises:
        DataError: all faults of the case: a file that cannot be read, wrong mask values, no mask, or an image
            and a mask of different size.
    """
    faults: list[str] = []
    image = collect_errors(faults, lambda: read_image(case.image))
    drawn = None
    if case.mask is None:
        faults.append(f"{case.image}: has no mask; training and evaluation need one.")
    else:
        path = case.mask
        drawn = collect_errors(faults, lambda: read_mask_and_legend(path, info.classes, info.ignore_label))
    mask, legend = drawn or (None, None)
    if image is not None and mask is not None and image.shape[:2] != mask.shape:
        faults.append(
            f"{case.mask}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels (width x height), but "
            f"its image {case.image.name}, turned upright, has {image.shape[1]} x {image.shape[0]}; "
            "export the mask again at the size of the image."
        )
    if image is None or mask is None or faults:
        raise DataError(case.name, faults)
    return LoadedCase(image, mask, legend)


def collect(
    cases: Sequence[Case],
    info: DatasetInfo,
    use: Callable[[int, LoadedCase], None],
    legends: Legends | None = None,
) -> list[str]:
    """Load many cases in threads, and hand each sound one on.

    Args:
        cases: what to load.
        info: classes and ignore label of the masks.
        use: called in the calling thread, in order, with the index of a case and its arrays; only a few
            loaded cases wait at any time. An `InputError` that it raises is a fault of the case.
        legends: of masks that were read before, such as those of another side of a split; these ones are added.

    Returns:
        Every fault, in the order of the cases; at the end, masks whose palettes contradict each other.
    """
    faults: list[str] = []
    legends = [] if legends is None else legends
    told = palette_faults(legends)
    for index, future in enumerate(_loading(cases, info)):
        loaded = collect_errors(faults, future.result)
        if loaded is not None:
            legends.append((str(cases[index].mask), loaded.legend))
            try:
                use(index, loaded)
            except InputError as error:  # such as channels that the network does not take
                faults.append(f"{cases[index].image}: {error}")
    return faults if told else faults + palette_faults(legends)


def palette_faults(legends: Sequence[tuple[str, Legend | None]]) -> list[str]:
    """The fault of masks whose palettes contradict each other, if there are some; `legends` have the paths of the masks."""
    conflict = find_conflict(legends)
    return [] if conflict is None else [f"{conflict.files[1]}: {conflict.message}; {MEND}."]


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


def collect_errors(faults: list[str], step: Callable[[], _T]) -> _T | None:
    """Take a step; if bad input stops it, add the faults to the list and give None."""
    try:
        return step()
    except InputError as error:
        faults.extend(_lines(error))
        return None


def _lines(error: InputError) -> list[str]:
    return list(error.faults) if isinstance(error, DataError) else [str(error)]
