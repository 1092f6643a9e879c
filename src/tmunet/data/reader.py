"""Read and validate cases: image with mask, in threads, with every fault in one report."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tmunet.data.array_items import to_label_mask, to_pixels
from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.io.images import Pixels, decode_image, to_image
from tmunet.data.io.mask_values import describe_values
from tmunet.data.io.masks import MaskValueError, expected_values, read_mask_and_legend
from tmunet.data.io.palettes import CONFLICT_HINT, Legend, find_conflict
from tmunet.data.parallel import map_threaded
from tmunet.errors import DataError, InputError

_T = TypeVar("_T")
Legends = list[tuple[str, Legend | None]]
"""The path of each mask file with the legend of its palette, if it has one."""


@dataclass(frozen=True)
class LoadedCase:
    """A decoded case.

    Attributes:
        image: (H, W, C) of 8 or 16 bits.
        mask: labels (H, W).
        legend: of the mask file, if it has a palette.
        has_known_range: False for images of signed, 32-bit or floating-point numbers; see `check_range`.
    """

    image: Pixels
    mask: NDArray[np.uint8]
    legend: Legend | None = None
    has_known_range: bool = True


class CaseError(DataError):
    """All faults of a case; `mask_values` is the one about wrong mask values, which map_cases tells of once for all cases."""

    def __init__(self, where: str, faults: Sequence[str], mask_values: MaskValueError | None = None) -> None:
        super().__init__(where, faults)
        self.mask_values = mask_values

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.faults, self.mask_values)


def load_case(case: Case, info: DatasetInfo) -> LoadedCase:
    """Decode image and mask of a case; thread-safe.

    Raises:
        DataError: all faults of the case: an unreadable file, wrong mask values, no mask, or different sizes.
    """
    faults: list[str] = []
    if case.arrays is not None:
        return _load_arrays(case, info)
    decoded = collect_errors(faults, lambda: decode_image(case.image))
    image = None if decoded is None else collect_errors(faults, lambda: to_image(case.image, decoded))
    read, wrong_values = None, None
    if case.mask is None:
        faults.append(f"{case.image}: has no mask; training and evaluation need one.")
    else:
        path = case.mask
        try:
            read = read_mask_and_legend(path, info.classes, info.ignore_label)
        except MaskValueError as error:
            wrong_values = error
            faults.append(str(error))
        except InputError as error:
            faults.append(str(error))
    mask, legend = read or (None, None)
    if image is not None and mask is not None and image.shape[:2] != mask.shape:
        faults.append(
            f"{case.mask}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels (width x height), but "
            f"its image {case.image.name}, turned upright, has {image.shape[1]} x {image.shape[0]}; "
            "export the mask again at the size of the image."
        )
    if decoded is None or image is None or mask is None or faults:
        raise CaseError(case.name, faults, wrong_values)
    return LoadedCase(image, mask, legend, decoded.has_known_range)


def _load_arrays(case: Case, info: DatasetInfo) -> LoadedCase:
    assert case.arrays is not None
    try:
        image, mask = case.arrays()
        pixels, labels = to_pixels(image), to_label_mask(mask, info)
    except InputError as error:
        raise CaseError(case.name, [f"{case.name}: {error}"]) from error
    if pixels.shape[:2] != labels.shape:
        raise CaseError(
            case.name, [f"{case.name}: the image has the shape {pixels.shape} (H, W, C), but its mask {labels.shape}."]
        )
    return LoadedCase(pixels, labels)


class HasLegend(Protocol):
    """A case that was loaded: here, or by a worker that keeps its image."""

    @property
    def legend(self) -> Legend | None:
        """Of the mask file, if it has a palette."""


_Loaded = TypeVar("_Loaded", bound=HasLegend)


def map_cases(
    cases: Sequence[Case],
    info: DatasetInfo,
    use: Callable[[int, LoadedCase], None],
    legends: Legends | None = None,
) -> list[str]:
    """Load cases in threads and call `use` with each one that has no fault.

    Args:
        cases: to load.
        info: classes and ignore label of the masks.
        use: called in the calling thread, in order, with the index of a case and its arrays. An `InputError` that it raises
            is a fault of the case.
        legends: of masks read before, such as those of another subset of the split; those of `cases` are appended.

    Returns:
        Every fault, in the order of the cases; at the end, masks whose palettes contradict each other.
    """

    def load(case: Case) -> LoadedCase | CaseError:
        try:
            return load_case(case, info)
        except CaseError as error:
            return error

    return use_cases(cases, info, map_threaded(load, cases), use, legends)


def use_cases(
    cases: Sequence[Case],
    info: DatasetInfo,
    results: Iterable[_Loaded | CaseError],
    use: Callable[[int, _Loaded], None],
    legends: Legends | None = None,
) -> list[str]:
    """Call `use` with each case that was loaded without a fault, and return every fault; see `map_cases`.

    Args:
        cases: those that were loaded.
        info: classes and ignore label of the masks.
        results: of each case, in their order: the case, or its faults.
        use: as for `map_cases`.
        legends: as for `map_cases`.
    """
    faults: list[str] = []
    legends = [] if legends is None else legends
    reported = palette_faults(legends)
    wrong_values: list[MaskValueError] = []
    place = 0  # of the first of them among the faults
    for index, loaded in enumerate(results):
        if isinstance(loaded, CaseError):
            faults += [fault for fault in loaded.faults if fault != str(loaded.mask_values)]
            if loaded.mask_values is not None:
                place = place if wrong_values else len(faults)
                wrong_values.append(loaded.mask_values)
            continue
        legends.append((str(cases[index].mask), loaded.legend))
        try:
            use(index, loaded)
        except InputError as error:  # such as channels that the network does not take
            faults.append(f"{cases[index].image}: {error}")
    faults[place:place] = _value_faults(wrong_values, len(cases), info)
    return faults if reported else faults + palette_faults(legends)


def _value_faults(errors: Sequence[MaskValueError], of: int, info: DatasetInfo) -> list[str]:
    """One fault for all masks with values that are no labels, since the same advice holds for all."""
    if len(errors) < 2:
        return [str(error) for error in errors]
    found, hint = describe_values([error.counts for error in errors], of, info.classes, info.ignore_label)
    return [f"{errors[0].path}: expected {expected_values(info.classes, info.ignore_label)}, but found {found}. {hint}"]


def palette_faults(legends: Sequence[tuple[str, Legend | None]]) -> list[str]:
    """Report masks whose palettes contradict each other: one fault or none; `legends` have the paths of the masks."""
    conflict = find_conflict(legends)
    return [] if conflict is None else [f"{conflict.files[1]}: {conflict.message}; {CONFLICT_HINT}."]


def check_cases(cases: Sequence[Case], info: DatasetInfo) -> list[str]:
    """Decode all cases and return every fault, in the order of the cases."""
    return map_cases(cases, info, lambda _index, _loaded: None)


def collect_errors(faults: list[str], step: Callable[[], _T]) -> _T | None:
    """Call a function; on an `InputError` append its faults to the list and return None."""
    try:
        return step()
    except InputError as error:
        faults.extend(error.faults if isinstance(error, DataError) else [str(error)])
        return None
