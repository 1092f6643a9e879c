"""Take the items (image, mask) of a torch Dataset, or of any sequence, as the cases of a data set."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.dataset import Dataset
from tmunet.data.split.splits import Split
from tmunet.errors import InputError, UsageError

IN_MEMORY = "in-memory"
"""What a run names instead of a folder."""


class Items(Protocol):
    """A torch Dataset with a length: its items are pairs (image, mask)."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """One item."""
        ...


def dataset_of_items(
    sides: Mapping[str, Items | None], classes: Sequence[str], ignore_label: int | None = None, name: str = IN_MEMORY
) -> Dataset:
    """Make a data set of items; each is read once for every use, so its random augmentation would be frozen.

    Args:
        sides: items by "train", "val" or "test".
        classes: names of the labels, the background first.
        ignore_label: 255 if masks mark pixels to ignore with it.
        name: for titles and messages.

    Raises:
        UsageError: a side is no sequence of items.
    """
    cases: dict[str, tuple[Case, ...]] = {}
    for side, items in sides.items():
        if items is not None and not (hasattr(items, "__len__") and hasattr(items, "__getitem__")):
            raise UsageError(
                f"Expected `{side}` to be a torch Dataset with a length and items (image, mask), but got {type(items).__name__}. "
                "Of an IterableDataset give list(dataset).",
                code="type",
            )
        count = 0 if items is None else len(items)
        lock = Lock()  # a Dataset may read from one open file
        cases[side] = tuple(
            Case(f"{side}{k}", Path(f"{side}{k}"), Path(f"{side}{k}"), arrays=_reader(items, k, lock))
            for k in range(count)
        )
    names = {side: tuple(case.name for case in cases.get(side, ())) for side in ("train", "val", "test")}
    info = DatasetInfo(name, tuple(classes), ignore_label)
    return Dataset(Path(name), info, tuple(case for side in cases.values() for case in side), Split(**names))


def _reader(items: Any, index: int, lock: Lock) -> Callable[[], tuple[Any, Any]]:
    def read() -> tuple[Any, Any]:
        with lock:
            item = items[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(
                f"item {index}: expected a pair (image, mask), but got {type(item).__name__}; wrap the Dataset in one that gives "
                "the pair."
            )
        return item[0], item[1]

    return read
