"""`train --minutes`: what is decided from measured times, and that the measuring leaves no trace in the training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmunet.api import train
from tmunet.cli.main import main
from tmunet.config import from_mapping
from tmunet.errors import UsageError
from tmunet.training import fit, time_budget
from tmunet.training.time_budget import Speed, fit_into, measure_speed
from tmunet.training.train_config import OptimizerConfig, TrainConfig, read_recipe

from ..coded_errors import coded
from .runs import SETTINGS, run_here, same_weights

Make = Callable[..., Path]
STRONG = from_mapping(TrainConfig, {**read_recipe("strong"), "data": "x"}, where="test")


def test_the_plan_of_a_short_training() -> None:
    config = replace(STRONG, minutes=2.0, batch_size=10)
    found = fit_into(config, Speed(step=1.0, validation=2.0), images=95)  # 118 s left for epochs of 10 + 2 s
    assert (found.epochs, found.minutes) == (9, None)
    assert found.optimizer.warmup_epochs == 1.0  # 10 steps: more than 5 * 9 / 200 epochs
    assert found.optimizer.ema_decay == pytest.approx(1 - 1 / 9, abs=1e-4)  # a tenth of 90 steps
    assert replace(found, epochs=config.epochs, minutes=2.0, optimizer=config.optimizer) == config


def test_a_long_training_keeps_the_warm_up_and_the_average_of_the_recipe() -> None:
    found = fit_into(replace(STRONG, minutes=1000.0), Speed(1.0, 0.0), images=320)
    assert found.epochs == 3000
    assert found.optimizer == STRONG.optimizer


@given(
    minutes=st.floats(0.1, 600),
    step=st.floats(1e-3, 5),
    validation=st.floats(0, 20),
    images=st.integers(1, 2000),
    warmup=st.floats(0, 10),
    decay=st.none() | st.floats(0, 0.999),
)
def test_no_plan_takes_more_time_than_given_or_one_epoch_less_than_fits(
    minutes: float, step: float, validation: float, images: int, warmup: float, decay: float | None
) -> None:
    config = replace(STRONG, minutes=minutes, optimizer=OptimizerConfig(warmup_epochs=warmup, ema_decay=decay))
    epoch = -(-images // config.batch_size) * step + validation
    if epoch + validation > minutes * 60:
        with pytest.raises(UsageError, check=coded("minutes")):
            fit_into(config, Speed(step, validation), images)
        return
    found = fit_into(config, Speed(step, validation), images)
    limit = minutes * 60
    assert found.epochs * epoch + validation <= limit * (1 + 1e-9)
    assert (found.epochs + 1) * epoch + validation > limit * (1 - 1e-9)
    assert 0 <= found.optimizer.warmup_epochs <= warmup + 1e-3
    assert (found.optimizer.ema_decay is None) == (decay is None)


def test_a_run_by_minutes_is_the_run_of_its_settings(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "MEASURE_SECONDS", 0.0)
    monkeypatch.setattr(fit, "fit_into", lambda config, _, images: fit_into(config, Speed(0.5, 0.5), images))
    data = make_dataset(train=6, val=2, test=1, side=32)
    run = run_here(data, tmp_path / "timed", **{**SETTINGS, "minutes": 0.05})
    config = run.read_config()
    assert (config.epochs, config.minutes) == (1, None)
    again = fit.train(replace(config, out=str(tmp_path / "again")))
    assert again.metrics.read_text() == run.metrics.read_text()
    assert same_weights(again.path, run.path)
    run.check_settings(config)


def test_measuring_puts_weights_gradients_and_random_numbers_back(
    make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tmunet.data.cached_dataset import cache_cases
    from tmunet.data.dataset import open_dataset
    from tmunet.registry import create_model

    monkeypatch.setattr(time_budget, "MEASURE_SECONDS", 0.0)
    config = from_mapping(TrainConfig, {**SETTINGS, "data": str(make_dataset(train=4, side=32))}, where="test")
    dataset = open_dataset(Path(config.data))
    cases = [cache_cases(dataset.subset(side), dataset.info, config.preprocess)[0] for side in ("train", "val")]
    network = create_model("tmunet_t")
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    speed = measure_speed(network, config, cases[0], cases[1])
    assert min(speed.step, speed.validation) > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training


def test_minutes_beside_epochs_folds_or_several_devices_are_refused(make_dataset: Make, tmp_path: Path) -> None:
    data, recipe = str(make_dataset(train=4, side=32)), tmp_path / "recipe.yaml"
    recipe.write_text("minutes: 3\n")
    for words in (["--epochs", "3"], ["--folds", "2"], ["--devices", "2"], ["--recipe", str(recipe)]):
        assert main(["train", "-d", data, "-o", str(tmp_path / "run"), "--minutes", "1", *words]) == 2
    assert main(["train", "-d", data, "-o", str(tmp_path / "run"), "--minutes", "0"]) == 2
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, check=coded("value")):
        train(data, minutes=1, epochs=2)
