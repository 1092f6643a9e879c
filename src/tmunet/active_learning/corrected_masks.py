"""Corrected masks of an active learning loop: find and check them, and make the data set of a round with its validation share."""

import hashlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tmunet.active_learning.loop_folder import RoundFolder
from tmunet.data.cases import Case, DatasetInfo, list_folder, named_alike, natural_key, unknown_case, warn_skipped_files
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.dicom import patient_of
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.data.split.scan import scan_cases
from tmunet.data.split.splits import Split, write_split
from tmunet.errors import DataError, InputError
from tmunet.files import sha256, write_json
from tmunet.temporary import whole_folder


def find_corrected(folder: Path, images: Sequence[Path]) -> tuple[Case, ...]:
    """Pair the corrected masks in a folder with the images of their names.

    Args:
        folder: of the masks, NAME.png, .tif or the like; without it there are none.
        images: of different stems.

    Returns:
        Cases in natural order of their names.

    Raises:
        DataError: masks without an image, two masks of one name, folders that are named like a mask.

    Warns:
        TMUNetWarning: of files that are no masks by name.
    """
    if not folder.exists():
        return ()
    listing = list_folder(folder)
    if listing.error is not None:
        raise InputError(f"{folder}: cannot be listed: {listing.error}.", code="not-listed", path=folder)
    warn_skipped_files(folder, listing.others, "save masks as NAME.png")
    faults = [
        f"{path}: is named like a mask but is a folder or a broken link; remove it." for path in listing.non_files
    ]
    by_name = listing.by_name(non_files=False)
    faults += [
        f"{path}: {first.name} has the same name; keep one of the two."
        for first, *rest in by_name.values()
        for path in rest
    ]
    image_of = {image.stem: image for image in images}
    masks = named_alike(image_of, {name: paths[0] for name, paths in by_name.items()})
    unknown = [name for name in masks if name not in image_of]
    faults += [
        f"{masks[name]}: {unknown_case(name, list(image_of), number)} A corrected mask has the name of its image."
        for number, name in enumerate(unknown)
    ]
    if faults:
        raise DataError(str(folder), faults)
    names = sorted(masks, key=natural_key)
    return tuple(Case(name, image_of[name], masks[name], patient_of(image_of[name])) for name in names)


def changed_since(cases: Sequence[Case], former: RoundFolder | None) -> list[str]:
    """Names of the corrected masks that are new, or have changed, since the data of a former round were taken."""
    if former is None:
        return [case.name for case in cases]
    taken = {path.stem: sha256(path) for path in (former.data / "masks").iterdir()}
    return [case.name for case in cases if case.mask is not None and sha256(case.mask) != taken.get(case.name)]


def take_corrected(
    cases: Sequence[Case],
    classes: Sequence[str],
    round_: RoundFolder,
    former: Split,
    start: TrainingFingerprint,
    val_share: float,
    seed: int,
) -> None:
    """Copy corrected images and masks into the data set folder of a round, all or none, with the split.

    Args:
        cases: of `find_corrected`.
        classes: of the model.
        round_: the round.
        former: split of the round before; its sides are kept.
        start: images that the start model was trained or selected on, which never validate.
        val_share: of the corrected images that validate, 0 to 1.
        seed: of the choice.

    Raises:
        DataError: all faults of the masks: values, sizes, unreadable files.
        InputError: they cannot be divided into images to train and images to validate.
    """
    info = DatasetInfo(round_.loop.resolve().name, tuple(classes))
    hashes: dict[str, str] = {}

    def add(index: int, loaded: LoadedCase) -> None:
        hashes[cases[index].name] = pixels_sha256(loaded.image)

    faults = map_cases(cases, info, add)
    if faults:
        raise DataError(str(round_.loop / "corrected"), faults)
    seen = start.side_of()
    scan = scan_cases(cases, info, str(round_.loop / "corrected"))
    split = choose_validation(
        scan.clusters,
        former,
        known={name for name, digest in hashes.items() if digest in seen},
        with_foreground={name for name, share in scan.foreground_shares.items() if share > 0},
        val_share=val_share,
        seed=seed,
    )
    if not split.train or not any(scan.foreground_shares[name] > 0 for name in split.val):
        raise InputError(
            f"{round_.loop / 'corrected'}: expected at least one corrected mask to train with and one with foreground to "
            f"validate with, but found {len(split.train)} and {sum(scan.foreground_shares[name] > 0 for name in split.val)} "
            f"among {len(cases)}. Images of one patient or scene stay together, and images that the start model was trained on "
            "do not validate. Correct more images.",
            code="no-validation",
            path=round_.loop / "corrected",
        )
    with whole_folder(round_.data) as folder:
        for case in cases:
            assert case.mask is not None
            for part, file in (("images", case.image), ("masks", case.mask)):
                (folder / part).mkdir(exist_ok=True)
                shutil.copyfile(file, folder / part / f"{case.name}{file.suffix}")
        groups = {case.name: {"group": case.group} for case in cases if case.group is not None}
        write_json(folder / "dataset.json", {"name": info.name, "classes": list(classes), "cases": groups})
        write_split(folder / "split.json", split)


def choose_validation(
    clusters: Sequence[Sequence[str]],
    former: Split,
    known: Collection[str],
    with_foreground: Collection[str],
    val_share: float,
    seed: int,
) -> Split:
    """Divide corrected images into train and val: who has a side keeps it, and new ones fill val up to its share.

    Args:
        clusters: names of images that must not be separated.
        former: sides of the images that were divided before.
        known: names of images that never validate.
        with_foreground: names of images whose masks are not empty; the first to validate is one of them.
        val_share: share of all images in val, at least one image.
        seed: of the order in which new images are chosen.

    >>> choose_validation([["a"], ["b"], ["c"]], Split(("a",), ("b",)), set(), {"b"}, 0.3, 0)
    Split(train=('a', 'c'), val=('b',), test=())
    """
    trains, validates = set(former.train), set(former.val)
    names = [name for cluster in clusters for name in cluster]
    target = max(1, round(val_share * len(names)))
    side: dict[str, str] = {name: "train" if name in trains else "val" for name in names if name in trains | validates}
    undecided: list[Sequence[str]] = []
    for cluster in clusters:
        sides = {side[name] for name in cluster if name in side} | {"train" for name in cluster if name in known}
        if not sides:
            undecided.append(cluster)
        for name in cluster:
            if sides and name not in side:
                side[name] = "val" if sides == {"val"} else "train"
    undecided.sort(key=lambda cluster: hashlib.sha256(f"{seed} {cluster[0]}".encode()).hexdigest())
    if not any(side.get(name) == "val" and name in with_foreground for name in names):
        shown = [cluster for cluster in undecided if any(name in with_foreground for name in cluster)]
        if shown:
            undecided.insert(0, undecided.pop(undecided.index(min(shown, key=len))))
            side |= dict.fromkeys(undecided.pop(0), "val")
    for cluster in undecided:
        room = target - sum(where == "val" for where in side.values())
        side |= dict.fromkeys(cluster, "val" if len(cluster) <= room else "train")
    return Split(**_names_by_side(names, side))


def _names_by_side(names: Sequence[str], side: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    ordered = sorted(names, key=natural_key)
    return {where: tuple(name for name in ordered if side[name] == where) for where in ("train", "val")}
