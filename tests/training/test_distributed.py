"""Two real processes on the CPU give the same run as one, within float tolerance."""

import csv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tmunet.model import load_model
from tmunet.training.optimizer import learning_rate_factor
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import OptimizerConfig

from .runs import recipe_file, run_here, start, weights

LAUNCHERS = {
    "lightning": (),
    "torchrun": ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29533"),
}


@pytest.mark.parametrize("launcher", ["lightning", pytest.param("torchrun", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_two_processes_equal_one(launcher: str, make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset(train=8)
    # plain gradient steps of Adam's first epochs, large enough to move every weight, small enough not to amplify rounding
    settings = {"epochs": 2, "optimizer": {"name": "adam", "learning_rate": 1e-4}, "monitor": "val_loss"}
    one = run_here(data, tmp_path / "one", **settings)
    recipe = recipe_file(tmp_path, **settings)
    process = start(
        f"--recipe={recipe}", f"--data={data}", f"--out={tmp_path / 'two'}", "--devices=2", launcher=LAUNCHERS[launcher]
    )
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    # Gradients agree to float rounding (test_sync_norm.py). Adam makes full steps out of the rounding of gradients that are
    # almost 0, so after four steps outputs differ by 0.1 % and the loss by 0.03 %; where each process keeps its own BatchNorm
    # statistics, by 5 % and 0.2 %.
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    a, b = (load_model(run).network(images) for run in (one.path, tmp_path / "two"))
    torch.testing.assert_close(a, b, rtol=0, atol=5e-3 * float(a.abs().max()))
    with one.metrics.open() as first, (tmp_path / "two" / "metrics.csv").open() as second:
        for x, y in zip(csv.DictReader(first), csv.DictReader(second), strict=True):
            assert x.pop("kept_weights") == y.pop("kept_weights") == "raw"
            for column in x:
                assert float(x[column]) == pytest.approx(float(y[column]), rel=1e-3), column


@pytest.mark.slow
def test_the_average_of_two_processes_equals_that_of_one(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset(train=8, val=0)  # without validation images the average is kept
    optimizer = {"name": "adam", "learning_rate": 1e-4, "ema_decay": 0.99}
    settings = {"epochs": 3, "optimizer": optimizer, "monitor": "val_loss"}
    one = run_here(data, tmp_path / "one", **settings)
    recipe = recipe_file(tmp_path, **settings)
    process = start(f"--recipe={recipe}", f"--data={data}", f"--out={tmp_path / 'two'}", "--devices=2")
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    two = RunFolder(tmp_path / "two")
    states = [torch.load(run.last, weights_only=True)["state_dict"] for run in (one, two)]
    assert [int(state["average.n_averaged"]) for state in states] == [6, 6]
    kept = weights(two.path)
    assert all(torch.equal(value, states[1][f"average.module.{name}"]) for name, value in kept.items())
    # of the layer whose gradients are far from 0: Adam makes full steps out of the rounding of others
    parameters = ["head.weight", "head.bias"]
    a, b, raw = (
        torch.cat([state[f"{prefix}{name}"].flatten() for name in parameters])
        for state, prefix in zip((*states, states[0]), ("average.module.", "average.module.", "network."), strict=True)
    )
    assert float((a - b).norm()) < 0.1 * float((a - raw).norm())


def test_the_cosine_rises_then_falls_to_nothing() -> None:
    config = OptimizerConfig(schedule="cosine", warmup_epochs=2)
    factor = learning_rate_factor(config, steps_per_epoch=5, epochs=10)
    values = [factor(step) for step in range(50)]
    assert values[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert values[10] == 1
    assert all(later < earlier for earlier, later in pairwise(values[10:]))
    assert values[-1] < 0.01


def test_the_cosine_is_half_way_down_in_the_middle_and_a_warm_up_may_take_the_whole_run() -> None:
    factor = learning_rate_factor(OptimizerConfig(schedule="cosine", warmup_epochs=2), steps_per_epoch=5, epochs=10)
    assert [factor(step) for step in (20, 30, 40, 50, 60)] == pytest.approx([0.853553, 0.5, 0.146447, 0, 0], abs=1e-6)
    whole = learning_rate_factor(OptimizerConfig(schedule="cosine", warmup_epochs=2), steps_per_epoch=5, epochs=2)
    assert whole(9) == pytest.approx(10 / 11)
    assert 0 <= whole(10) <= 1  # the scheduler asks for the step after the last one
