"""Corrected masks: which are refused, which are new, and how they are divided into images to train and to validate."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.active_learning.corrected_masks import changed_since, choose_validation, find_corrected, take_corrected
from tmunet.active_learning.loop_folder import RoundFolder
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.images import read_image
from tmunet.data.split.splits import Split
from tmunet.errors import DataError, InputError, TMUNetWarning

from ..coded_errors import coded
from ..small_models import TWO

NOTHING = TrainingFingerprint()


def copy_masks(data: Path, corrected: Path, *names: str) -> None:
    corrected.mkdir(parents=True, exist_ok=True)
    for name in names:
        (corrected / f"{name}.png").write_bytes((data / "masks" / f"{name}.png").read_bytes())


@pytest.fixture
def loop(make_dataset: Callable[..., Path]) -> tuple[list[Path], Path]:
    """Images, and the folder of a loop with the corrected masks of four of them."""
    data = make_dataset(train=6, val=0, test=0)
    copy_masks(data, data / "loop" / "corrected", "case0", "case1", "case2", "case3")
    return sorted((data / "images").iterdir()), data / "loop"


def take(loop: Path, images: list[Path], start: TrainingFingerprint = NOTHING, number: int = 1) -> RoundFolder:
    round_ = RoundFolder(loop, number)
    take_corrected(find_corrected(loop / "corrected", images), TWO, round_, Split(()), start, 0.25, 0)
    return round_


def test_masks_are_taken_as_they_are_and_only_changed_ones_are_new(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    round_ = take(folder, images)
    for path in (folder / "corrected").iterdir():
        assert (round_.data / "masks" / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in (round_.data / "images").iterdir()) == [f"case{k}.png" for k in range(4)]
    assert len(round_.split().val) == 1
    cases = find_corrected(folder / "corrected", images)
    assert changed_since(cases, round_) == []
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(folder / "corrected" / "case2.png")
    copy_masks(folder.parent, folder / "corrected", "case5")
    assert changed_since(find_corrected(folder / "corrected", images), round_) == ["case2", "case5"]
    assert changed_since(cases, None) == [f"case{k}" for k in range(4)]


def test_faults_of_all_masks_are_told_at_once_and_nothing_is_taken(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    Image.fromarray(np.full((48, 48), 7, np.uint8)).save(folder / "corrected" / "case1.png")
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(folder / "corrected" / "case2.png")
    (folder / "corrected" / "case3.png").write_bytes(b"no picture")
    with pytest.raises(DataError, check=coded("data", folder / "corrected")) as raised:
        take(folder, images)
    assert [f"case{k}.png" in fault for k, fault in enumerate(raised.value.faults, 1)] == [True] * 3
    assert not (folder / "round-1").exists()


def test_masks_without_an_image_and_two_of_one_name_are_refused(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    corrected = folder / "corrected"
    copy_masks(folder.parent, corrected, "case5")
    (corrected / "case5.png").rename(corrected / "case55.png")
    (corrected / "case0.tif").write_bytes((corrected / "case0.png").read_bytes())
    (corrected / "folder.png").mkdir()
    with pytest.raises(DataError, check=coded("data", corrected)) as raised:
        find_corrected(corrected, images)
    assert len(raised.value.faults) == 3
    assert "'case5'" in raised.value.faults[-1]  # the name that is near


def test_other_files_are_passed_over_with_a_warning(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    (folder / "corrected" / "masks.zip").write_bytes(b"")
    with pytest.warns(TMUNetWarning, match=r"masks\.zip"):
        assert len(find_corrected(folder / "corrected", images)) == 4
    assert find_corrected(folder / "nothing", images) == ()


def test_images_that_the_start_has_seen_do_not_validate(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    seen = {path.stem: pixels_sha256(read_image(path)) for path in images}
    known = {name: seen[name] for name in ("case0", "case1", "case3")}
    for number, start in enumerate((TrainingFingerprint(known), TrainingFingerprint(val=known)), 1):
        assert take(folder, images, start, number=number).split() == Split(("case0", "case1", "case3"), ("case2",))
    with pytest.raises(InputError, check=coded("no-validation", folder / "corrected")):
        take(folder, images, TrainingFingerprint(seen), number=3)
    assert not (folder / "round-3" / "data").exists()


def test_a_validation_image_shows_foreground(loop: tuple[list[Path], Path]) -> None:
    images, folder = loop
    for name in ("case0", "case1", "case3"):
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(folder / "corrected" / f"{name}.png")
    assert take(folder, images).split().val == ("case2",)
    (folder / "corrected" / "case2.png").unlink()
    with pytest.raises(InputError, check=coded("no-validation", folder / "corrected")):
        take(folder, images, number=2)


@given(st.data())
def test_validation_keeps_its_images_and_its_share(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=12))
    clusters = [[f"{number}-{k}" for k in range(size)] for number, size in enumerate(sizes)]
    names = [name for cluster in clusters for name in cluster]
    some = st.lists(st.sampled_from(clusters), unique_by=lambda cluster: cluster[0])
    train, rest = (data.draw(some) for _ in range(2))
    val = [cluster for cluster in rest if cluster not in train]
    known = set(data.draw(st.lists(st.sampled_from(names)))) - {name for cluster in val for name in cluster}
    filled = set(data.draw(st.lists(st.sampled_from(names))))
    former = Split(*(tuple(name for cluster in side for name in cluster) for side in (train, val)))
    share, seed = data.draw(st.floats(0.05, 0.9)), data.draw(st.integers(0, 5))

    split = choose_validation(clusters, former, known, filled, share, seed)
    assert choose_validation(clusters[::-1], former, known, filled, share, seed) == split
    assert sorted(split.train + split.val) == sorted(names)
    assert set(former.train) <= set(split.train)
    assert set(former.val) <= set(split.val)
    assert not known & set(split.val)
    for cluster in clusters:
        assert set(cluster) <= set(split.train) or set(cluster) <= set(split.val)
    new = set(split.val) - set(former.val)
    if len(former.val) > max(1, round(share * len(names))) and set(former.val) & filled:
        assert not new
    could = [cluster for cluster in clusters if not set(cluster) & ({*former.train, *former.val} | known)]
    if not set(former.val) & filled and any(set(cluster) & filled for cluster in could):
        assert set(split.val) & filled
