"""``dataset.json`` and ``split.json`` of a copy, brought in line with files that were rewritten or set aside."""

from collections.abc import Sequence, Set
from pathlib import PurePosixPath

from tmunet.check.fixed_copy import Copy
from tmunet.data.cases import read_dataset_info
from tmunet.data.json_object import read_json_object
from tmunet.data.split.splits import Split, read_split, write_split
from tmunet.errors import InputError
from tmunet.files import write_json
from tmunet.text import pluralize


def copy_description(copy: Copy, gone: Set[str]) -> None:
    """Copy ``dataset.json``; new hashes for files with new content, and no records of cases that are gone."""
    path = copy.source / "dataset.json"
    if not path.exists():
        return
    copy.take_over(path)
    try:
        records = read_dataset_info(copy.source).records
        content = read_json_object(path)
    except InputError:  # a finding that is left for the user
        return
    kept = {name: record.to_dict() for name, record in records.items() if name not in gone}
    renewed = 0
    for file, digest in copy.hashes.items():
        key = "image_sha256" if file.startswith("images/") else "mask_sha256"
        entry = kept.get(PurePosixPath(file).stem, {})
        if key in entry:
            entry[key] = digest
            renewed += 1
    if renewed or len(kept) < len(records):
        _keep_original(copy, "dataset.json")
        write_json(copy.target / path.name, {**content, "cases": kept})
        taken = len(records) - len(kept)
        copy.note(path, f"{renewed} hashes renewed, {taken} records taken out; the original is in {copy.aside.name}/")


def copy_split(copy: Copy, names: Sequence[str], gone: Set[str]) -> None:
    """Copy ``split.json``, without the cases that are gone, as long as one is left to train on."""
    path = copy.source / "split.json"
    if not path.exists():
        return
    copy.take_over(path)
    try:
        sides = read_split(path, names).to_dict()
    except InputError:  # a finding that is left for the user
        return
    kept = {side: tuple(name for name in members if name not in gone) for side, members in sides.items()}
    taken = sum(map(len, sides.values())) - sum(map(len, kept.values()))
    if taken and kept["train"]:
        _keep_original(copy, "split.json")
        write_split(copy.target / path.name, Split(**kept))
        copy.note(
            path, f"{pluralize(taken, 'case')} taken out, so its hash is another; the original is in {copy.aside.name}/"
        )


def _keep_original(copy: Copy, name: str) -> None:
    copy.take_over(copy.source / name, copy.aside / name)
