"""Checkpoints are whole at any moment, and hold nothing but plain data and tensors."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tmunet.errors import ModelError
from tmunet.training.checkpoints import AtomicCheckpointIO, check_checkpoint
from tmunet.training.run_folder import RunFolder

from .conftest import Trained
from .runs import recipe_file, start


def test_a_write_that_fails_leaves_the_old_checkpoint_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    with pytest.raises((AttributeError, TypeError)):  # a generator cannot be saved
        AtomicCheckpointIO().save_checkpoint({"epoch": 2, "bad": (i for i in range(3))}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_checkpoints_load_without_executing_anything(trained: Trained) -> None:
    best, last = (torch.load(path, weights_only=True)["epoch"] for path in (trained.run.best, trained.run.last))
    assert 0 <= best <= last == 2


def test_a_damaged_checkpoint_is_named(copied_run: RunFolder) -> None:
    run = copied_run
    run.last.write_bytes(run.last.read_bytes()[:5000])
    with pytest.raises(ModelError) as caught:
        check_checkpoint(run.last, averages=True)
    assert (caught.value.code, caught.value.path) == ("damaged-checkpoint", run.last)


def test_an_average_without_its_number_of_steps_is_not_continued(copied_run: RunFolder) -> None:
    run = copied_run
    state = torch.load(run.last, weights_only=True)
    del state["kept_weights"]  # as tmunet 0.1.0 wrote it
    torch.save(state, run.last)
    with pytest.raises(ModelError) as caught:
        check_checkpoint(run.last, averages=True)
    assert (caught.value.code, caught.value.path) == ("old-checkpoint", run.last)
    check_checkpoint(run.last, averages=False)


@pytest.mark.nightly
def test_random_kills_never_leave_a_broken_checkpoint(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset(train=8)
    recipe = recipe_file(tmp_path, epochs=100_000)
    out = tmp_path / "run"
    arguments = [f"--recipe={recipe}", f"--data={data}", f"--out={out}"]
    epochs = [0]
    for kill in range(20):
        process = start(*arguments)
        while not (out / "checkpoints" / "last.ckpt").exists() and process.poll() is None:
            time.sleep(0.1)
        time.sleep(random.Random(kill).uniform(4, 9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        epochs.append(torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["epoch"])
        torch.load(out / "checkpoints" / "best.ckpt", weights_only=True)
        arguments = [f"--resume={out}"]
    assert epochs == sorted(epochs)
    assert epochs[-1] > epochs[1]
