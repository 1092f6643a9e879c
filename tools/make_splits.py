"""Regenerate the fixed splits in ``src/tmunet/splits``: ``python tools/make_splits.py FOLDER``.

FOLDER holds the data sets CVC-ClinicDB, MoNuSeg, BUSI and DSB2018 (or dsb2018), each a folder with ``images/`` and
``masks/`` whose names are those that ``tmunet import`` gives. CVC-ColonDB is split by its table of sequences alone.
"""

import sys
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from tmunet.data.cases import natural_key
from tmunet.data.dataset import open_dataset
from tmunet.data.split.planner import SplitPlan, describe_split, make_splits
from tmunet.data.split.scan import DatasetScan, scan_cases
from tmunet.data.split.splits import OFFICIAL_SPLIT, Split, read_official_split, write_split
from tmunet.datasets._build.cvc_frames import read_frames
from tmunet.files import write_json

DESTINATION = Path(str(files("tmunet") / "splits"))
FOLDS = 5
COLONDB = "CVC-ColonDB"
PLANS: dict[str, SplitPlan] = {
    "random": SplitPlan(
        "random", stratified=False
    ),  # as the paper splits, and `tmunet train` if there is no split file
    "grouped": SplitPlan("grouped"),
    "grouped-fold": SplitPlan("grouped", folds=FOLDS),
    "official": SplitPlan("official"),
}


def groups_of(name: str, cases: list[str]) -> dict[str, str]:
    """The groups that ``tmunet import`` would record."""
    if name.startswith("CVC"):
        return {case: frame.group for case, frame in read_frames(name).items()}
    return {case: "-".join(case.split("-")[:3]) for case in cases} if name == "MoNuSeg" else {}


def scan_folder(name: str, folder: Path) -> tuple[DatasetScan, Split | None]:
    """Decode a data set once."""
    dataset = open_dataset(folder)
    names = [case.name for case in dataset.cases]
    groups = groups_of(name, names)
    cases = [replace(case, group=groups.get(case.name)) for case in dataset.cases]
    official = read_official_split(folder, names) if (folder / OFFICIAL_SPLIT).exists() else None
    return scan_cases(cases, dataset.info, str(folder)), official


def scan_table(name: str) -> DatasetScan:
    """Scan without images, by the table of sequences: exact copies are near-duplicates, all other frames are dissimilar."""
    frames = read_frames(name)
    names = sorted(frames, key=natural_key)
    one_hot = np.eye(len(names), dtype=np.float32)
    signatures = {case: one_hot[names.index(frames[case].copy_of or case)] for case in names}
    return DatasetScan({case: frame.group for case, frame in frames.items()}, signatures, {})


def write_splits(name: str, scan: DatasetScan, official: Split | None) -> None:
    """Write the splits of a data set and their reports."""
    with_images = bool(scan.foreground_shares)
    for title, plan in PLANS.items():
        if plan.kind == "official" and official is None:
            continue
        plan = replace(plan, stratified=plan.stratified and with_images)
        for fold, split in enumerate(make_splits(plan, scan, official), 1):
            path = DESTINATION / name / f"{title}-{fold}.json" if plan.folds else DESTINATION / name / f"{title}.json"
            made = {"data": name, "split": path.name, **asdict(plan), "images_looked_at": with_images}
            write_split(path, split)
            write_json(path.with_suffix(".report.json"), made | describe_split(split, scan).to_dict(pairs=False))
            print(name, path.stem, *(len(names) for names in split.to_dict().values()))


def main(folder: Path) -> None:
    """Write all of them."""
    for name in ("CVC-ClinicDB", "MoNuSeg", "BUSI", "DSB2018"):
        (source,) = (path for path in folder.iterdir() if path.name.casefold() == name.casefold())
        write_splits(name, *scan_folder(name, source))
    write_splits(COLONDB, scan_table(COLONDB), None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
