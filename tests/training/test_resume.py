"""An interrupted run continues as if nothing had happened: the same weights and the same CSV, bit for bit."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tmunet.errors import DataError, UsageError
from tmunet.training.fit import resume
from tmunet.training.run_folder import RunFolder

from ..coded_errors import coded
from .runs import recipe_file, run_here, same_weights, start, weights

EPOCHS = 12


def wait_for_rows(path: Path, rows: int) -> None:
    for _ in range(1200):
        if path.exists() and len(path.read_text().splitlines()) > rows:
            return
        time.sleep(0.05)
    pytest.fail(f"{path} did not reach {rows} rows in a minute")


@pytest.mark.parametrize(
    "stop",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_a_killed_run_continues_bit_for_bit(
    stop: signal.Signals, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(train=16)
    straight = run_here(data, tmp_path / "straight", epochs=EPOCHS)
    recipe = recipe_file(tmp_path, epochs=EPOCHS)
    process = start(f"--recipe={recipe}", f"--data={data}", f"--out={tmp_path / 'killed'}")
    killed = RunFolder(tmp_path / "killed")
    wait_for_rows(killed.metrics, 5)
    process.send_signal(stop)
    output, _ = process.communicate(timeout=60)
    assert not killed.model.exists()
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130), output
    if stop != signal.SIGKILL:
        assert f"tmunet train --resume {killed.path}" in output
    rows_when_killed = len(killed.metrics.read_text().splitlines())
    resume(killed.path)
    assert rows_when_killed < EPOCHS + 1
    assert killed.metrics.read_bytes() == straight.metrics.read_bytes()
    assert same_weights(killed.path, straight.path)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset()
    first, again, other = (
        run_here(data, tmp_path / name, seed=seed, epochs=2) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.metrics.read_bytes() == again.metrics.read_bytes()
    assert same_weights(first.path, again.path)
    assert first.metrics.read_bytes() != other.metrics.read_bytes()


@pytest.mark.parametrize("val", [0, 2])
def test_a_run_cut_off_before_its_model_was_written_ends_with_the_same_weights(
    val: int, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(val=val)
    run = run_here(data, tmp_path / "run", epochs=3, monitor="val_loss")  # with a moving average
    whole = weights(run.path)
    shutil.rmtree(run.model)
    resume(run.path)
    assert all(torch.equal(value, whole[name]) for name, value in weights(run.path).items())


def test_a_run_does_not_continue_with_edited_settings(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    run = run_here(make_dataset(), tmp_path / "run", epochs=1)
    text = run.config.read_text()
    assert "epochs: 1\n" in text
    rows = run.metrics.read_bytes()
    run.config.write_text(text.replace("epochs: 1\n", "epochs: 2\n"))
    with pytest.raises(UsageError) as caught:
        resume(run.path)
    assert caught.value.code == "settings-changed"
    assert caught.value.path == run.config
    assert run.metrics.read_bytes() == rows
    run.config.write_text(f"# a comment is no setting\n{text}".replace("device: auto", "device: cpu"))
    resume(run.path)


def test_a_run_does_not_continue_on_other_images(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset()
    run = run_here(data, tmp_path / "run", epochs=1)
    (data / "images" / "case0.png").write_bytes((data / "images" / "case1.png").read_bytes())
    with pytest.raises(DataError, match="changed since the run began"):
        resume(run.path)


def test_an_existing_run_is_not_overwritten(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, check=coded("exists", tmp_path / "run")):
        run_here(data, tmp_path / "run")
    with pytest.raises(UsageError, check=coded("no-run", tmp_path / "run")):
        resume(tmp_path / "run")
