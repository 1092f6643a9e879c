"""`tmunet loop`: what it says at each step, and its exit codes."""

from collections.abc import Callable
from pathlib import Path

from tmunet.active_learning.loop_folder import RoundFolder
from tmunet.active_learning.run_loop import LoopState
from tmunet.cli.loop import describe

from .conftest import Answer


def test_the_first_call_lays_out_masks_and_lists_images_that_cannot_be_read(
    tmunet: Callable[..., Answer],
    golden: Callable[..., None],
    make_dataset: Callable[..., Path],
    model: Path,
    tmp_path: Path,
) -> None:
    images = make_dataset(train=2, val=0, test=0) / "images"
    (images / "case1.png").write_bytes(b"no picture")
    answer = tmunet("loop", images, "-m", model, "-o", tmp_path / "loop", "--images-per-round", 1)
    assert answer.code == 3
    assert "case1.png" in answer.err
    golden("loop", answer.out)
    assert [path.name for path in (tmp_path / "loop" / "round-1" / "to_correct" / "masks").iterdir()] == ["case0.png"]


def test_settings_that_do_not_fit(tmunet: Callable[..., Answer], tmp_path: Path) -> None:
    for flag, value in (
        ("--val-share", 0),
        ("--val-share", 1),
        ("--images-per-round", 0),
        ("--epochs", 0),
        ("--seed", -1),
    ):
        answer = tmunet("loop", tmp_path, flag, value)
        assert (answer.code, answer.error) == (2, "value")


def test_rounds_are_a_table(golden: Callable[..., None]) -> None:
    loop = Path("loop")
    scores = {"corrected": 10, "train": 8, "val": 2, "val_dice_before": 0.5, "val_dice_after": 0.75}
    rounds = (
        {"round": 1, **scores, "kept": "new"},
        {"round": 2, **scores, "corrected": 24, "val": 6, "kept": "former"},
    )
    states = (
        LoopState(rounds, loop / "round-1/training", RoundFolder(loop, 3), left=7),
        LoopState(rounds[:1], loop / "round-1/training", RoundFolder(loop, 2), left=7, waiting=1),
        LoopState((), loop / "start", RoundFolder(loop, 1), left=0),
    )
    golden("loop-rounds", "\n\n".join(describe(state, loop / "corrected") for state in states) + "\n")
