"""Build a data set folder: convert all cases in a temporary folder, then move it into place."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tmunet.progress import progress_bar

from tmunet.data.cases import Case, DatasetInfo, find_cases, read_dataset_info
from tmunet.data.io.dicom import patient_of
from tmunet.data.io.mask_values import describe_values
from tmunet.data.io.masks import MaskValueError, expected_values
from tmunet.data.reader import palette_faults
from tmunet.data.split.splits import copy_fixed_splits
from tmunet.data.split.splits import Split, write_split
from tmunet.datasets._build.conversion import StoredLabels, WrittenCase, convert_case
from tmunet.datasets._build.dataset_card import describe, write_card
from tmunet.datasets._build.faults import ConversionError, DatasetImportError, Fault
from tmunet.datasets._build.import_plan import Importer, ImportPlan, PlannedCase, check_plan
from tmunet.datasets._build.slices import expand_slices
from tmunet.datasets._build.source import SourceFiles, open_source
from tmunet.errors import InputError, UsageError
from tmunet.files import write_json, write_text
from tmunet.temporary import remove_leftovers, temporary_folder

_MAX_WORKERS = 8  # decoding is bound by the processor; more threads only take more memory


@dataclass(frozen=True)
class Imported:
    """An imported data set: its folder, the content of ``dataset.json``, all cases with their groups, and remarks.

    The folder holds ``images/``, ``masks/``, ``dataset.json``, ``README.md``; ``official_split.json`` if the source has an
    official split; ``split.json`` and ``splits/`` if tmunet has fixed splits of the data set.
    """

    folder: Path
    info: DatasetInfo
    cases: tuple[Case, ...]
    remarks: tuple[str, ...]


def import_dataset(
    importer: Importer,
    location: Path,
    destination: Path,
    command: str,
    fixed_splits_of: str | Callable[[], str | None] | None = None,
) -> Imported:
    """Import a download, a folder or an archive: extract, plan and `build`, with the errors of these steps.

    `fixed_splits_of` may be a function, for an importer that finds out the data set when it plans.
    """
    check_destination(destination, location)
    with _temporary_folder(destination) as temporary:
        source = expand_slices(open_source(location, temporary / "extracted"), temporary / "slices")
        plan = importer(source)
        known = fixed_splits_of() if callable(fixed_splits_of) else fixed_splits_of
        return _build(plan, source, temporary / "dataset", destination, command, known)


def build(plan: ImportPlan, source: SourceFiles, destination: Path, command: str, fixed_splits_of: str | None = None) -> Imported:
    """Write the images, masks, ``dataset.json`` and dataset card of a planned import.

    All files are written to a temporary folder, which is moved to `destination` when everything is done. An import that
    fails leaves nothing behind; the temporary folder of one that was killed is removed by the next import.

    Args:
        plan: of an importer.
        source: the files that the importer got.
        destination: a new or empty folder; hidden files in it stay.
        command: the command line, for the dataset card.
        fixed_splits_of: the named set whose fixed splits fit these cases; None for other data, whatever its name.

    Raises:
        UsageError: `destination` holds a data set or other files, or is inside of the source.
        DatasetImportError: all faults of the plan, or of the cases.
        InputError: `destination` cannot be written.
    """
    check_destination(destination, source.location)
    with _temporary_folder(destination) as temporary:
        return _build(plan, source, temporary / "dataset", destination, command, fixed_splits_of)


def check_destination(destination: Path, location: Path) -> None:
    """Check the destination before anything is extracted or read.

    Raises:
        UsageError: it holds a data set or other files, or is inside of the source.
    """
    if location.is_dir() and destination.resolve().is_relative_to(location.resolve()):
        raise UsageError(f"Expected a folder outside of {location}, but got {destination}; give another.", code="inside-source", path=destination)
    if (destination / "dataset.json").exists():
        raise UsageError(
            f"{destination}: holds a data set already ({read_dataset_info(destination).name}); give another folder, or remove "
            "this one.", code="exists", path=destination)
    if destination.exists() and not destination.is_dir():
        raise UsageError(f"{destination}: expected a folder for the data set, but it is a file; give another.", code="not-a-folder", path=destination)
    if destination.is_dir() and any(not path.name.startswith(".") for path in destination.iterdir()):
        raise UsageError(
            f"{destination}: expected a new or empty folder for the data set, but it holds other files; give another.", code="not-empty", path=destination)


@contextmanager
def _temporary_folder(destination: Path) -> Iterator[Path]:
    """A folder on the file system of the destination: inside of one that exists, which may be a mount point, else beside it."""
    path = destination.resolve()
    try:
        remove_leftovers(path.parent, path)
        with temporary_folder(path / "dataset" if path.is_dir() else path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(
            f"{error.filename or destination}: cannot be read or written: {error.strerror}. Check its permissions and the free "
            "disk, then run the same command again.", code="unwritable", path=error.filename or destination) from error


def _build(
    plan: ImportPlan, source: SourceFiles, folder: Path, destination: Path, command: str, fixed_splits_of: str | None
) -> Imported:
    check_plan(plan, source)
    plan = _with_patients(plan, source)
    written = _convert_cases(plan, source, folder)
    plan = replace(plan, remarks=(*plan.remarks, *_remark_on_empty_masks(written)))
    write_text(folder / "README.md", write_card(plan, source, written, command))
    if official := plan.official:
        split = Split(*(tuple(official.get(subset, ())) for subset in ("train", "val", "test")))
        write_split(folder / "official_split.json", split)
    if fixed_splits_of is not None:
        copy_fixed_splits(fixed_splits_of, [case.name for case in plan.cases], folder)
    write_json(folder / "dataset.json", describe(plan, source, written, command))
    groups = {case.name: case.group for case in plan.cases}
    cases, faults = find_cases(folder)
    if faults or {case.name for case in cases} != groups.keys():  # such as by a second import that runs into the same folder
        raise InputError(f"{destination}: temporary files of this import were removed; run the same command again.", code="interrupted", path=destination)
    _move(folder, destination)
    cases, _ = find_cases(destination)
    grouped = tuple(replace(case, group=groups[case.name]) for case in cases)
    return Imported(destination, read_dataset_info(destination), grouped, plan.remarks)


def _with_patients(plan: ImportPlan, source: SourceFiles) -> ImportPlan:
    """Take the patients of DICOM images as groups, where the importer knows none."""
    cases = [replace(case, group=case.group or patient_of(source.files[case.image])) for case in plan.cases]
    if cases == list(plan.cases):
        return plan
    facts = replace(plan.facts, group=plan.facts.group or "patient, by a hash of the DICOM Patient ID")
    return replace(plan, cases=tuple(cases), facts=facts)


def _convert_cases(plan: ImportPlan, source: SourceFiles, folder: Path) -> list[WrittenCase]:
    """Convert all cases in threads; raises all faults of all cases, or else those of palettes that contradict each other."""
    written: list[WrittenCase] = []
    faults: list[Fault] = []

    wrong_values: list[MaskValueError] = []

    def convert(case: PlannedCase) -> WrittenCase | list[Fault]:
        try:
            return convert_case(case, source, plan.facts, folder)
        except MaskValueError as error:
            wrong_values.append(error)
            return []
        except InputError as error:
            return _faults_of(case.name, error)

    bar = progress_bar(total=len(plan.cases), desc=f"import {plan.facts.name}", unit="case")
    pool = ThreadPoolExecutor(min(_MAX_WORKERS, os.cpu_count() or 1))
    try:
        with bar:
            for result in pool.map(convert, plan.cases):
                if isinstance(result, WrittenCase):
                    written.append(result)
                else:
                    faults += result
                bar.update()
        if wrong_values:
            faults.append(_summarize(wrong_values, plan))
        if not faults:  # the masks that were written have one palette, so the original ones have to be read
            readers = [case.read_mask for case in plan.cases if isinstance(case.read_mask, StoredLabels)]
            legends = list(zip((str(reader.path) for reader in readers), pool.map(StoredLabels.legend, readers), strict=True))
            faults = [Fault("palette-conflict", "", fault) for fault in palette_faults(legends)]
    finally:
        pool.shutdown(cancel_futures=True)
    if faults:
        raise DatasetImportError(source.location, faults)
    return written


def _faults_of(case: str, error: InputError) -> list[Fault]:
    if isinstance(error, ConversionError):
        fault = error.fault
        return [Fault(fault.kind, f"{case}: {fault.path}", fault.message, fault.hint)]
    return [Fault("unreadable", case, str(error))]


def _summarize(errors: Sequence[MaskValueError], plan: ImportPlan) -> Fault:
    """One fault for all masks with values that are no labels, since the same advice holds for all."""
    counts = [error.counts for error in errors]
    found, hint = describe_values(counts, len(plan.cases), plan.facts.classes, plan.facts.ignore_label)
    expected = expected_values(plan.facts.classes, plan.facts.ignore_label)
    place = min(str(error.path) for error in errors)
    message = f"expected {expected}, but found {found}, such as {place}"
    return Fault("mask-values", "", message, hint.removesuffix("."))


def _remark_on_empty_masks(written: Sequence[WrittenCase]) -> list[str]:
    remark = (
        "All masks are empty: no pixel is of a class besides the background. If that is not meant, look at the "
        "values of the original masks; with `folders`, choose --threshold or --values by them."
    )
    return [remark] * all(case.empty for case in written)


def _move(folder: Path, destination: Path) -> None:
    """Move a finished data set into place: by one rename into a new folder, else file by file, ``dataset.json`` last."""
    if not destination.exists():
        folder.rename(destination.resolve())
        return
    check_destination(destination, folder)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "dataset.json"):
        path.rename(destination / path.name)
