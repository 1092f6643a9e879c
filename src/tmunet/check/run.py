"""Check a data set: names first, then every file once, then what they tell together."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tmunet.check.consistency import about_whole
from tmunet.check.contents import about_files
from tmunet.check.dataset_json import about_records, read_description
from tmunet.check.duplicates import about_duplicates
from tmunet.check.file_names import about_names
from tmunet.check.files import Listing, list_folder
from tmunet.check.findings import SEVERITIES, CaseFacts, CheckReport, Finding
from tmunet.check.inspect import Look, look
from tmunet.check.mask_rules import about_masks
from tmunet.check.split_rules import check_split
from tmunet.data.cases import DatasetInfo, natural_key
from tmunet.errors import InputError

_MAX_WORKERS = 8  # decoding is bound by the processor; more threads only take more memory

_Task = tuple[str, Path | None, Path | None]


def check_dataset(data: Path, split: Path | None = None) -> CheckReport:
    """Find everything that is wrong with a data set; what is wrong becomes a finding, never an error.

    Every file is decoded once, in threads; what is kept of it are facts, hashes and a small gray copy (16 kB).

    Args:
        data: a folder that holds ``images/`` and ``masks/``; it is only read.
        split: a split file; by default ``split.json`` of the folder, if it is there.

    Raises:
        InputError: there is no such folder, or it holds neither ``images/`` nor ``masks/``.
    """
    images, masks = list_folder(data / "images"), list_folder(data / "masks")
    if not (data / "images").is_dir() and not (data / "masks").is_dir():
        reason = "it is no folder" if not data.is_dir() else "it holds neither"
        raise InputError(f"{data}: expected a data set folder with images/ and masks/, but {reason}. Check the path.")
    info, findings = read_description(data)
    findings += about_names(images, masks)
    looks = list(_looking(_tasks(images, masks), info))
    for seen in looks:
        findings += about_files(seen)
    findings += about_masks(looks, info)
    findings += about_whole(looks, info)
    findings += about_duplicates(looks)
    names = sorted(images.by_name(), key=natural_key)
    if info is not None:
        findings += about_records(info, names, looks)
    chosen, leaks = None, None
    path = data / "split.json" if split is None else split
    if split is not None or path.exists():
        chosen, leaks, found = check_split(path, names, info, looks)
        findings += found
    return CheckReport(
        folder=data,
        info=info or DatasetInfo(data.resolve().name),
        findings=tuple(sorted(findings, key=_worst_first)),
        cases=tuple(_facts(looks, info)),
        files=len(images.pictures) + len(masks.pictures),
        split=chosen,
        leaks=leaks,
    )


def _tasks(images: Listing, masks: Listing) -> list[_Task]:
    """The files to look at: for each name the image and the mask that `find_cases` takes, then what is there besides."""
    of_images, of_masks = _files(images), _files(masks)
    names = sorted(of_images.keys() | of_masks.keys(), key=natural_key)
    tasks: list[_Task] = []
    for name in names:
        these, those = of_images.get(name, []), of_masks.get(name, [])
        tasks.append((name, these[0] if these else None, those[0] if those else None))
        tasks += [(name, path, None) for path in these[1:]]
        tasks += [(name, None, path) for path in those[1:]]
    return tasks


def _files(listing: Listing) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in listing.pictures:
        found.setdefault(path.stem, []).append(path)
    return found


def _looking(tasks: Sequence[_Task], info: DatasetInfo | None) -> Iterator[Look]:
    """Look at many files in threads, in order; only a few decoded pictures are in memory at any time."""
    workers = min(_MAX_WORKERS, os.cpu_count() or 1)
    waiting: deque[Future[Look]] = deque()
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(tasks), desc="check", unit="case", disable=None) as bar,
    ):
        for name, image, mask in tasks:
            waiting.append(pool.submit(look, name, image, mask, info))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
                bar.update()
        while waiting:
            yield waiting.popleft().result()
            bar.update()


def _facts(looks: Sequence[Look], info: DatasetInfo | None) -> Iterator[CaseFacts]:
    for seen in looks:
        if seen.image is None or seen.image_file is None or seen.mask is None or seen.mask.refusal is not None:
            continue
        group = info.records[seen.name].group if info and seen.name in info.records else None
        height, width = seen.image_file.size
        yield CaseFacts(seen.name, group, width, height, seen.image.channels, seen.image.bits, seen.mask.shares or {})


def _worst_first(finding: Finding) -> tuple[int, tuple[list[str | int], str], str]:
    file = finding.files[0] if finding.files else ""
    return SEVERITIES.index(finding.severity), natural_key(file), finding.kind
