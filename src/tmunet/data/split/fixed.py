"""The splits that come with tmunet for data sets that many use, so that scores on them can be compared."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from tmunet.data.json_object import read_json_object
from tmunet.files import write_bytes

_REPORT = ".report.json"


def fixed_splits(name: str) -> Mapping[str, Path]:
    """Find the packaged splits of a data set.

    Args:
        name: of the data set, as `tmunet import` spells it.

    Returns:
        Split files by name, such as "random", "grouped" or "grouped-fold-1"; none for a data set without fixed splits.

    >>> list(fixed_splits("MoNuSeg"))[-2:]
    ['official', 'random']
    """
    folder = Path(str(files("tmunet") / "splits" / name))
    found = {path.stem: path for path in folder.glob("*.json") if not path.name.endswith(_REPORT)}
    return dict(sorted(found.items()))


def copy_fixed_splits(name: str, cases: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Give a data set folder its fixed splits: each into ``folder/splits/``, with its report, and one as ``split.json``.

    A split that names cases which are not there is left out whole. ``split.json`` is the official split if there is one,
    else the grouped one.

    Args:
        name: of the data set, as `tmunet import` spells it.
        cases: names of its cases.
        folder: of the data set.

    Returns:
        The names of the splits that were copied.
    """
    known = frozenset(cases)
    copied = {split: path for split, path in fixed_splits(name).items() if _names(path) <= known}
    for path in copied.values():
        for file in (path, path.with_suffix(_REPORT)):
            write_bytes(folder / "splits" / file.name, file.read_bytes())
    default = next((split for split in ("official", "grouped") if split in copied), None)
    if default is not None:
        write_bytes(folder / "split.json", copied[default].read_bytes())
    return tuple(copied)


def _names(path: Path) -> frozenset[str]:
    return frozenset(name for side in read_json_object(path).values() for name in side)
