"""Build a data set folder from the files of a distribution, as an importer planned it."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from tmunet import __version__
from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info
from tmunet.data.reader import collect_errors, palette_faults
from tmunet.data.split.splits import Split, copy_fixed_splits, write_split
from tmunet.datasets._build.case_files import make_case
from tmunet.datasets._build.dataset_card import describe, write_card
from tmunet.datasets._build.import_plan import Plan, PlannedCase
from tmunet.datasets._build.journal import Entry, append, begin, end, unfinished
from tmunet.datasets._build.label_masks import StoredLabels
from tmunet.datasets._build.plan_faults import plan_faults
from tmunet.datasets._build.source import Source
from tmunet.errors import DataError, InputError, UsageError
from tmunet.files import write_json, write_text

_MAX_WORKERS = 8  # decoding is bound by the processor; more threads only take more memory


@dataclass(frozen=True)
class Imported:
    """A data set that was built.

    Attributes:
        folder: holds ``images/``, ``masks/``, ``dataset.json``, ``README.md``, if the source has a split of its own
            ``official_split.json``, and if tmunet has fixed splits of the set ``split.json`` and ``splits/``.
        info: as ``dataset.json`` says.
        cases: all, with their groups, in natural order.
        remarks: sentences about this very source, and about what came of it.
    """

    folder: Path
    info: DatasetInfo
    cases: tuple[Case, ...]
    remarks: tuple[str, ...]


def build(plan: Plan, source: Source, destination: Path, command: str, fixed_splits_of: str | None = None) -> Imported:
    """Write the images, masks, ``dataset.json`` and card of a data set.

    It may be stopped at any moment: the same call goes on, and comes to the same files, byte for byte. Cases whose original
    files have changed since, or whose outputs are not as they were written, are made again. ``dataset.json`` is written last:
    it is the sign of a finished import.

    Args:
        plan: what an importer gave.
        source: what it was given.
        destination: a new or empty folder, or one in which the same import was interrupted.
        command: the command line, for the card, and to know the import again.
        fixed_splits_of: the named set whose fixed splits fit these cases; None for data of somebody's own, whatever its name.

    Raises:
        UsageError: `destination` holds a finished data set, other files, or an import with another command, plan or version;
            or it lies in the folder of the source.
        DataError: every fault of the plan; or every fault of the cases. The other cases are finished then: mend the files and
            call again.
        InputError: `destination` cannot be written.
    """
    if faults := plan_faults(plan, source):
        raise DataError(str(source.location), faults)
    check_destination(destination, source.location)
    try:
        return _build(plan, source, destination, command, fixed_splits_of)
    except OSError as error:
        raise InputError(
            f"{destination}: cannot be written: {error.strerror}. Check its permissions and the free disk, then run the same "
            "command again: it goes on where it stopped."
        ) from error


def check_destination(destination: Path, location: Path) -> None:
    """Refuse a destination before anything is unpacked or read.

    Raises:
        UsageError: it holds a finished data set, or lies in the folder of the source.
    """
    if location.is_dir() and destination.resolve().is_relative_to(location.resolve()):
        raise UsageError(f"Expected a folder outside of {location}, but got {destination}; choose another.")
    if (destination / "dataset.json").exists() and not unfinished(destination):
        raise UsageError(
            f"{destination}: holds a data set already ({read_dataset_info(destination).name}); choose another folder, or "
            "remove this one."
        )


def _build(plan: Plan, source: Source, folder: Path, command: str, fixed_splits_of: str | None) -> Imported:
    facts = plan.facts
    head = {
        "command": command,
        "importer": f"{facts.name} {facts.version}",
        "tmunet": __version__,
        "plan": _digest(plan),
    }
    entries, faults = _make_cases(plan, source, folder, begin(folder, head))
    if not faults:  # the masks that were written have one palette, so the original ones have to be asked
        faults = _about_palettes(plan)
    cases, found = find_cases(folder) if not faults else ((), [])
    if faults + found:
        raise DataError(str(source.location), faults + found)
    plan = replace(plan, remarks=(*plan.remarks, *_about_empty(entries)))
    write_text(folder / "README.md", write_card(plan, source, entries, command))
    if sides := plan.official:
        split = Split(tuple(sides.get("train", ())), tuple(sides.get("val", ())), tuple(sides.get("test", ())))
        write_split(folder / "official_split.json", split)
    if fixed_splits_of is not None:
        copy_fixed_splits(fixed_splits_of, [case.name for case in cases], folder)
    write_json(folder / "dataset.json", describe(plan, entries, head))
    end(folder)
    groups = {case.name: case.group for case in plan.cases}
    grouped = tuple(replace(case, group=groups[case.name]) for case in cases)
    return Imported(folder, read_dataset_info(folder), grouped, plan.remarks)


def _about_palettes(plan: Plan) -> list[str]:
    draws = [case.draw for case in plan.cases if isinstance(case.draw, StoredLabels)]
    faults: list[str] = []
    with ThreadPoolExecutor(min(_MAX_WORKERS, os.cpu_count() or 1)) as pool:
        legends = list(pool.map(lambda draw: collect_errors(faults, draw.legend), draws))
    return faults + palette_faults([(str(draw.path), legend) for draw, legend in zip(draws, legends, strict=True)])


def _about_empty(entries: Sequence[Entry]) -> list[str]:
    said = (
        "All masks are empty: no pixel is of a class besides the background. If that is not meant, look at the "
        "values of the original masks; with `folders`, choose --threshold or --values by them."
    )
    return [said] * all(entry.empty for entry in entries)


def _digest(plan: Plan) -> str:
    """SHA-256 of what the plan says, except how the masks are drawn: that is the version of the importer."""
    cases = [[case.name, str(case.image), [str(mask) for mask in case.masks], case.group] for case in plan.cases]
    content = [cases, {side: list(names) for side, names in plan.official.items()}]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _make_cases(plan: Plan, source: Source, folder: Path, former: Mapping[str, Entry]) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    faults: list[str] = []
    bar = tqdm(total=len(plan.cases), desc=f"import {plan.facts.name}", unit="case", disable=None)
    with bar, closing(_making(plan, source, folder, former)) as making:
        for case, future in making:
            found: list[str] = []
            entry = collect_errors(found, future.result)
            faults += [f"{case.name}: {fault}" for fault in found]
            if entry is not None:
                entries.append(entry)
                if former.get(case.name) != entry:
                    append(folder, entry)
            bar.update()
    return entries, faults


def _making(
    plan: Plan, source: Source, folder: Path, former: Mapping[str, Entry]
) -> Generator[tuple[PlannedCase, Future[Entry]], None, None]:
    """Make the cases in threads, a few ahead of the one that is given; what has not begun at the end is not made."""
    workers = min(_MAX_WORKERS, os.cpu_count() or 1)
    waiting: deque[tuple[PlannedCase, Future[Entry]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for case in plan.cases:
            waiting.append((case, pool.submit(make_case, case, source, plan.facts, folder, former.get(case.name))))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
