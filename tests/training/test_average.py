"""The moving average of the weights: its decay, what is in it, and that the better of average and raw weights is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tmunet.config import from_mapping
from tmunet.data.cached_dataset import cache_cases
from tmunet.data.dataset import open_dataset
from tmunet.data.preprocess import normalize, unit
from tmunet.model import load_model
from tmunet.prediction.postprocess import decide
from tmunet.training.fit import resume
from tmunet.training.module import SegmentationModule, Validated, class_dice
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig
from tmunet.training.weight_average import moving_average, warmed_up_decay

from .runs import run_here, same_weights, weights
from .test_fit import rows_of

OPTIMIZER = {"learning_rate": 0.01, "ema_decay": 0.9}


def dice_by(run: RunFolder, state: dict[str, torch.Tensor], side: str = "val") -> float:
    """Mean Dice of the images of a subset at the size of training, by these weights of the network."""
    dataset, trained = open_dataset(run.data(), run.split), load_model(run.path)
    cases, _, _ = cache_cases(dataset.subset(side), dataset.info, trained.config.preprocess)
    network = trained.config.create_network().eval()
    network.load_state_dict(state)
    batch = cases.__getitems__(list(range(len(cases))))
    with torch.no_grad():
        found = decide(network(normalize(unit(batch["image"]), trained.config.preprocess.normalize))).numpy()
    return float(np.mean([class_dice(m, p, 2)[1] for m, p in zip(batch["mask"].numpy(), found, strict=True)]))


def part(checkpoint: Path, prefix: str) -> dict[str, torch.Tensor]:
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def test_the_decay_rises_with_the_steps_to_its_highest_value() -> None:
    assert [warmed_up_decay(0.99, n) for n in (0, 1, 2, 8)] == pytest.approx([0, 2 / 11, 3 / 12, 9 / 18])
    assert warmed_up_decay(0.99, 889) == pytest.approx(890 / 899)
    assert [warmed_up_decay(0.99, n) for n in (890, 10**6)] == pytest.approx([0.99, 0.99])
    assert [warmed_up_decay(0.0, n) for n in (0, 5)] == [0, 0]


def test_nothing_of_the_start_is_in_the_average_and_of_each_step_what_the_decays_leave() -> None:
    network = nn.BatchNorm1d(1).double()
    with torch.no_grad():
        network.weight.fill_(1e6)  # the random start
    average = moving_average(network, 0.9)
    values = np.random.default_rng(0).normal(size=(120, 2))
    for step, (weight, mean) in enumerate(values):
        with torch.no_grad():
            network.weight.fill_(weight)
            network.running_mean.fill_(mean)
            network.num_batches_tracked.fill_(step + 1)
        average.update_parameters(network)
    decays = np.minimum(0.9, [(1 + n) / (10 + n) for n in range(120)])
    shares = [(1 - decays[k]) * np.prod(decays[k + 1 :]) for k in range(120)]
    shares[0] = np.prod(decays[1:])
    assert sum(shares) == pytest.approx(1)
    assert average.module.weight.item() == pytest.approx(shares @ values[:, 0], rel=1e-12)
    assert average.module.running_mean.item() == values[-1, 1]  # buffers are copied
    assert average.module.num_batches_tracked.item() == 120
    assert not any(parameter.requires_grad for parameter in average.parameters())


@pytest.mark.slow
def test_after_few_steps_the_average_has_learned_what_the_raw_weights_have(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(train=16, val=0, test=4)
    optimizer = {"learning_rate": 0.01, "schedule": "cosine", "ema_decay": 0.99}
    settings = {"epochs": 40, "batch_size": 16, "augment": {}, "monitor": "val_loss", "optimizer": optimizer}
    run = run_here(data, tmp_path / "run", **settings)  # 40 steps: a fixed decay would leave 68 % of the first
    assert rows_of(run.metrics)[-1]["kept_weights"] == "average"
    assert load_model(run.path).config.provenance["kept_weights"] == "average"
    kept = weights(run.path)
    assert all(torch.equal(kept[name], value) for name, value in part(run.last, "average.module.").items())
    assert dice_by(run, kept, "test") > 0.9
    assert dice_by(run, part(run.last, "network."), "test") > 0.9


def validated(loss: float, dice: float) -> list[Validated]:
    return [Validated(loss, {1: dice}, frozenset({1}))]


SCRIPTED = {"average": [(3.0, 0.9), (1.0, 0.5), (2.0, 0.7)], "raw": [(2.5, 0.8), (1.5, 0.6), (0.5, 0.95)]}


@pytest.mark.parametrize(
    ("keep", "exchanged"),
    [
        ("val_dice", False),
        ("val_loss", True),
        pytest.param("val_dice", True, marks=pytest.mark.slow),
        pytest.param("val_loss", False, marks=pytest.mark.slow),
    ],
)
def test_the_better_of_average_and_raw_weights_is_kept(
    keep: str, exchanged: bool, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"average": "raw", "raw": "average"} if exchanged else {"average": "average", "raw": "raw"}

    def scripted(self: SegmentationModule, *_: Any) -> None:
        self.validation = {name: validated(*SCRIPTED[names[name]][self.current_epoch]) for name in ("average", "raw")}  # type: ignore[misc]

    monkeypatch.setattr(SegmentationModule, "validation_step", scripted)
    run = run_here(make_dataset(), tmp_path / "run", epochs=3, monitor=keep)
    expected = {"val_dice": ["average", "raw", "raw"], "val_loss": ["raw", "average", "raw"]}[keep]
    rows = rows_of(run.metrics)
    assert [row["kept_weights"] for row in rows] == [names[name] for name in expected]
    found = [(float(row["val_loss"]), float(row["val_dice"])) for row in rows]
    for epoch, name in enumerate(expected):
        assert found[epoch] == pytest.approx(SCRIPTED[name][epoch])
    provenance = load_model(run.path).config.provenance
    assert (provenance["kept_epoch"], provenance["kept_weights"]) == (3, names["raw"])  # best by loss and by Dice
    prefix, other = ("average.module.", "network.") if exchanged else ("network.", "average.module.")
    kept, left = part(run.best, prefix), part(run.best, other)
    assert all(torch.equal(value, kept[name]) for name, value in weights(run.path).items())
    assert not torch.equal(kept["head.weight"], left["head.weight"])


@pytest.mark.parametrize("keep", ["val_dice", "val_loss"])
@pytest.mark.parametrize(
    ("average", "raw", "kept"),
    [
        ((1.0, 0.5), (1.0, 0.5), "average"),
        ((float("nan"), 0.4), (2.0, 0.5), "raw"),
        ((2.0, 0.5), (float("nan"), 0.4), "average"),
    ],
)
def test_equals_keep_the_average_and_a_loss_that_is_no_number_loses(
    keep: str, average: tuple[float, float], raw: tuple[float, float], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = from_mapping(TrainConfig, {"data": "x", "monitor": keep, "optimizer": {"ema_decay": 0.9}}, where="test")
    module = SegmentationModule(nn.Conv2d(3, 1, 1), config, ["a"], 1)
    monkeypatch.setattr(module, "log", lambda *_: None)
    module.validation = {"average": validated(*average), "raw": validated(*raw)}
    module.on_validation_epoch_end()
    assert module.kept_weights == kept


def test_the_scores_of_an_epoch_are_those_of_its_better_weights(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    run = run_here(make_dataset(val=4), tmp_path / "run", epochs=5, augment={}, optimizer=OPTIMIZER)
    row = rows_of(run.metrics)[-1]
    dice = {"average": dice_by(run, part(run.last, "average.module.")), "raw": dice_by(run, part(run.last, "network."))}
    assert dice["average"] != dice["raw"]
    assert float(row["val_dice"]) == pytest.approx(max(dice.values()), abs=1e-6)
    assert dice[row["kept_weights"]] == max(dice.values())


def test_a_run_without_an_average_keeps_the_raw_weights(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    run = run_here(make_dataset(), tmp_path / "run", epochs=2, optimizer={"ema_decay": None})
    assert [row["kept_weights"] for row in rows_of(run.metrics)] == ["raw", "raw"]
    assert load_model(run.path).config.provenance["kept_weights"] == "raw"


def test_a_run_stopped_in_the_middle_of_the_warm_up_continues_bit_for_bit(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(train=8, val=0)
    settings = {"epochs": 4, "monitor": "val_loss"}
    straight = run_here(data, tmp_path / "straight", **settings)
    step = SegmentationModule.training_step

    def stopping(self: SegmentationModule, batch: Any, index: int) -> torch.Tensor:
        if self.current_epoch == 2 and index == 1:
            raise ZeroDivisionError
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", stopping)
        with pytest.raises(ZeroDivisionError):
            run_here(data, tmp_path / "stopped", **settings)
    stopped = RunFolder(tmp_path / "stopped")
    assert torch.load(stopped.last, weights_only=True)["state_dict"]["average.n_averaged"] == 4  # of 8 steps
    resume(stopped.path)
    assert stopped.metrics.read_bytes() == straight.metrics.read_bytes()
    assert same_weights(stopped.path, straight.path)
    assert torch.load(stopped.last, weights_only=True)["state_dict"]["average.n_averaged"] == 8
