"""The loop from the start model to the second round: what is queued, trained and kept, and that it goes on after a kill."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from tmunet.active_learning import review_queue
from tmunet.active_learning import run_loop as loop_module
from tmunet.active_learning.loop_config import LoopConfig
from tmunet.active_learning.run_loop import LoopState, run_loop
from tmunet.api import evaluate
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.images import read_image
from tmunet.errors import DataError, UsageError
from tmunet.model import load_model, save_model

from ..coded_errors import coded
from ..conftest import write_discs
from ..interrupts import hear_interrupts
from ..small_models import random_model

RECIPE: dict[str, Any] = {"batch_size": 8, "optimizer": {"name": "adamw"}, "monitor": "val_dice", "epochs": 1}


@pytest.fixture
def config(tmp_path: Path) -> LoopConfig:
    """Seven images, the first of which the start model has seen."""
    data = write_discs(tmp_path, train=7, val=0, test=0)
    model, seen = random_model(), pixels_sha256(read_image(data / "images" / "case0.png"))
    save_model(tmp_path / "start", model.network, model.config, TrainingFingerprint({"0": seen}))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return LoopConfig(
        [str(data / "images")], str(tmp_path / "start"), str(tmp_path / "loop"), images_per_round=3, val_share=0.3,
        recipe=str(tmp_path / "recipe.yaml"), device="cpu",
    )  # fmt: skip


def correct(config: LoopConfig, *names: str) -> None:
    """Save the masks of the data set as corrections."""
    for name in names:
        source = Path(config.images[0]).parent / "masks" / f"{name}.png"
        (Path(config.out) / "corrected" / source.name).write_bytes(source.read_bytes())


def to_correct(state: LoopState) -> list[str]:
    names = [path.stem for path in (state.round.to_correct / "masks").iterdir()]
    assert sorted(names) == sorted(path.stem for path in (state.round.to_correct / "images").iterdir())
    return names


def queue(state: LoopState) -> list[dict[str, str]]:
    with state.round.queue.open() as file:
        return list(csv.DictReader(file))


def files(out: Path) -> dict[str, Any]:
    """What a loop has found, without times: names, tables, weights, decisions."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".safetensors":
            found[name] = {key: value.tolist() for key, value in load_file(path).items()}
        elif path.suffix in (".csv", ".png") or path.name in ("decision.json", "split.json", "loop.json"):
            found[name] = path.read_bytes()
        else:
            found[name] = None
    return found


def test_two_rounds_and_a_half(config: LoopConfig) -> None:
    out = Path(config.out)
    first = run_loop(config)
    assert (first.decisions, first.model, first.left, first.waiting) == ((), out / "start", 7, 0)
    rows = queue(first)
    agreements = [float(row["agreement"]) for row in rows if row["flags"]]
    assert len(agreements) == len(rows) == 7  # a random model is sure of nothing
    assert agreements == sorted(agreements)
    assert sorted(to_correct(first)) == sorted(Path(row["mask"]).stem for row in rows[:3])
    before = files(out)
    assert run_loop(config) == first  # nothing to do
    correct(config, "case1")
    wrong = (out / "corrected" / "case1.png").rename(out / "corrected" / "case9.png")
    with pytest.raises(DataError, check=coded("data", wrong.parent)):
        run_loop(config)
    wrong.unlink()
    assert files(out) == before

    for path in (first.round.to_correct / "masks").iterdir():  # accepted as they are: the model cannot become better
        shutil.copyfile(path, out / "corrected" / path.name)
    second = run_loop(config)
    (decision,) = second.decisions
    assert decision["val_dice_before"] == 1
    assert (decision["corrected"], decision["kept"], second.model) == (3, "former", first.model)
    assert (second.round.number, second.left, second.waiting) == (2, 4, 0)
    assert {Path(row["image"]).stem for row in queue(second)} == {f"case{k}" for k in range(7)} - set(to_correct(first))

    *others, last = sorted({f"case{k}" for k in range(7)} - {*to_correct(first), "case0"})
    correct(config, "case0", *to_correct(first), *others)  # those for the second time
    third = run_loop(config)
    decision, data = third.decisions[1], second.round.data
    split = json.loads((data / "split.json").read_text())
    assert (decision["corrected"], decision["train"], decision["val"]) == (6, len(split["train"]), len(split["val"]))
    assert "case0" in split["train"]  # the start has seen it
    assert set(first.round.split().val) <= set(split["val"])
    new = second.round.training.path
    for model, key in ((first.model, "val_dice_before"), (new, "val_dice_after")):
        (scores,) = evaluate(model, data, subset="val").summaries.values()
        assert decision[key] == scores["metrics"]["dice"]["mean"]
    assert decision["val_dice_after"] > decision["val_dice_before"]  # of random weights
    assert (decision["kept"], third.model) == ("new", new)
    assert load_model(new).config.provenance["pretrained"]["from"] == str(first.model)
    assert (third.round.number, third.left, third.waiting, to_correct(third)) == (3, 1, 0, [last])
    after = files(out)
    assert {name: after[name] for name in before} == before  # nothing is overwritten


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped_with_the_same_result(
    config: LoopConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = replace(config, out=f"{config.out}-straight")
    for one in (straight, config):
        run_loop(one)
        correct(one, "case1", "case2", "case3")
    run_loop(straight)
    stops = (
        (loop_module, "train"),
        (loop_module, "write_json"),
        (review_queue, "write_csv"),
        (review_queue.shutil, "copyfile"),
    )
    for place, name in stops:

        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(place, name, stop)
            with pytest.raises(KeyboardInterrupt):
                run_loop(config)
    run_loop(config)
    found, expected = files(Path(config.out)), files(Path(straight.out))
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_other_settings_and_other_folders_are_refused(config: LoopConfig, tmp_path: Path) -> None:
    run_loop(config)
    other = random_model(seed=1)
    save_model(tmp_path / "other", other.network, other.config)
    settings = Path(config.out) / "loop.json"
    for changed in ({"model": str(tmp_path / "other")}, {"val_share": 0.5}, {"seed": 1}):
        with pytest.raises(UsageError, check=coded("other-settings", settings)):
            run_loop(replace(config, **changed))
    assert run_loop(replace(config, model=None)).round.number == 1
    with pytest.raises(UsageError, check=coded("not-empty", tmp_path / "other")):
        run_loop(replace(config, out=str(tmp_path / "other")))


def test_a_faulty_recipe_is_refused_before_anything_is_written(config: LoopConfig, tmp_path: Path) -> None:
    (tmp_path / "typo.yaml").write_text("epoch: 3\n")
    for recipe, code in (("finetune2", "recipe"), (str(tmp_path / "typo.yaml"), "key")):
        with pytest.raises(UsageError, check=coded(code)):
            run_loop(replace(config, recipe=recipe))
    assert not Path(config.out).exists()


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_like_one_that_was_not(config: LoopConfig) -> None:
    straight = replace(config, out=f"{config.out}-straight")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(one: LoopConfig) -> list[str]:
        flags = [
            "-m",
            str(one.model),
            "-o",
            one.out,
            "--recipe",
            one.recipe,
            "--images-per-round",
            "3",
            "--val-share",
            "0.3",
        ]
        return [sys.executable, "-m", "tmunet", "loop", *one.images, *flags, "--device", "cpu"]

    for one in (straight, config):
        subprocess.run(command(one), env=environment, check=True, timeout=300)
        correct(one, "case1", "case2", "case3")
    began = time.monotonic()
    subprocess.run(command(straight), env=environment, check=True, timeout=300)
    whole = time.monotonic() - began
    for share in (0.6, 0.75, 0.9):
        running = subprocess.Popen(command(config), env=environment, preexec_fn=hear_interrupts)
        try:
            running.wait(share * whole)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
    subprocess.run(command(config), env=environment, check=True, timeout=300)
    found, expected = files(Path(config.out)), files(Path(straight.out))
    left = {name for name in found if name not in expected}
    assert all(Path(name).name.startswith(".") for name in left)  # temporary files of killed processes
    assert [name for name in expected if found.get(name) != expected[name]] == []
