"""Check a data set: names first, then every file once, then the data set as a whole and its split."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tmunet.check.dataset_rules import check_consistency, check_duplicates, check_spacings, check_split
from tmunet.check.file_rules import check_files, check_names, check_records, read_json_file
from tmunet.check.findings import SEVERITIES, CaseFacts, CheckReport, Finding
from tmunet.check.inspect import CaseInspection, inspect_case
from tmunet.check.mask_rules import check_masks
from tmunet.data.cases import DatasetInfo, Listing, list_folder, named_alike, natural_key, read_dataset_info
from tmunet.data.parallel import map_threaded
from tmunet.errors import InputError
from tmunet.machines.pool import Pool, check_shared, split_parts
from tmunet.progress import progress_bar

_Task = tuple[str, Path | None, Path | None]


def check_dataset(data: Path, split: Path | None = None, pool: Pool | None = None) -> CheckReport:
    """Find everything that is wrong with a data set; faults become findings, never errors.

    Every file is decoded once, in threads; only facts, hashes and a signature (16 kB) are kept.

    Args:
        data: a folder that holds ``images/`` and ``masks/``; it is only read.
        split: a split file; by default ``split.json`` of the folder, if it is there.
        pool: workers that decode the files and share the disk; by default threads of this process do.

    Raises:
        InputError: there is no such folder, or it holds neither ``images/`` nor ``masks/``.
    """
    images, masks = list_folder(data / "images"), list_folder(data / "masks")
    if not (data / "images").is_dir() and not (data / "masks").is_dir():
        reason = "it is no folder" if not data.is_dir() else "it holds neither"
        raise InputError(
            f"{data}: expected a data set folder with images/ and masks/, but {reason}. Check the path.",
            code="no-data",
            path=data,
        )
    info, findings = read_json_file("dataset-json", data / "dataset.json", lambda: read_dataset_info(data))
    findings += check_names(images, masks)
    tasks = _tasks(images, masks)
    with progress_bar(total=len(tasks), desc="check", unit="case") as bar:
        inspections = []
        for one in _inspect(tasks, info, pool):
            inspections.append(one)
            bar.update()
    for one in inspections:
        findings += check_files(one)
    findings += check_masks(inspections, info)
    findings += check_consistency(inspections, info)
    findings += check_duplicates(inspections)
    names = sorted(images.by_name(), key=natural_key)
    if info is not None:
        findings += check_records(info, names, inspections)
        findings += check_spacings(info, names, inspections, data)
    chosen, leaks = None, None
    path = data / "split.json" if split is None else split
    if split is not None or path.exists():
        chosen, leaks, found = check_split(path, names, info, inspections)
        findings += found
    return CheckReport(
        folder=data,
        info=info or DatasetInfo(data.resolve().name),
        findings=tuple(sorted(findings, key=_worst_first)),
        cases=tuple(_facts(inspections, info)),
        files=len(images.images) + len(masks.images),
        split=chosen,
        leaks=leaks,
    )


def _inspect(tasks: Sequence[_Task], info: DatasetInfo | None, pool: Pool | None) -> Iterator[CaseInspection]:
    if pool is None:
        yield from map_threaded(lambda task: inspect_case(*task, info), tasks)
        return
    here = [(name, image and image.absolute(), mask and mask.absolute()) for name, image, mask in tasks]
    for part in pool.map(partial(_inspect_part, info), split_parts(here, pool.workers)):
        yield from part


def _inspect_part(info: DatasetInfo | None, tasks: Sequence[_Task]) -> list[CaseInspection]:
    """Inspect cases in a worker."""
    if files := [file for task in tasks for file in task[1:] if file is not None]:
        check_shared(files[0].parent)
    return [inspect_case(*task, info) for task in tasks]


def _tasks(images: Listing, masks: Listing) -> list[_Task]:
    """List name, image and mask of each case as `find_cases` pairs them, then further files of the same name."""
    of_images = images.by_name(non_files=False)
    of_masks = named_alike(of_images, masks.by_name(non_files=False))
    tasks: list[_Task] = []
    for name in sorted(of_images.keys() | of_masks.keys(), key=natural_key):
        these, those = of_images.get(name, []), of_masks.get(name, [])
        tasks.append((name, these[0] if these else None, those[0] if those else None))
        tasks += [(name, path, None) for path in these[1:]]
        tasks += [(name, None, path) for path in those[1:]]
    return tasks


def _facts(inspections: Sequence[CaseInspection], info: DatasetInfo | None) -> Iterator[CaseFacts]:
    for one in inspections:
        if one.image is None or one.image_file is None or one.mask is None or one.mask.refusal is not None:
            continue
        group = (info.records[one.name].group if info and one.name in info.records else None) or one.patient
        height, width = one.image_file.size
        yield CaseFacts(one.name, group, width, height, one.image.channels, one.image.bits, one.mask.shares or {})


def _worst_first(finding: Finding) -> tuple[int, tuple[list[str | int], str], str]:
    file = finding.files[0] if finding.files else ""
    return SEVERITIES.index(finding.severity), natural_key(file), finding.kind
