"""Fine-tuning of an encoder: its own learning rate, and statistics of BatchNorm that stay."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tmunet import create_model
from tmunet.config import from_mapping
from tmunet.errors import UsageError
from tmunet.training.module import SegmentationModule
from tmunet.training.optimizer import build_optimizer, learning_rate_factor
from tmunet.training.train_config import OptimizerConfig, TrainConfig, read_recipe

from .runs import run_here, weights

Make = Callable[..., Path]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
SMALL = {"model": "unet_lite0", "epochs": 1, "batch_size": 2}


def test_the_groups_are_the_encoder_and_the_rest_and_each_has_its_rate() -> None:
    network = create_model("tmunet_lite0")
    config = OptimizerConfig(learning_rate=0.01, encoder_learning_rate_factor=0.25, weight_decay=0.1)
    rest, encoder = build_optimizer(network, config).param_groups
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    of_encoder, of_rest = ([names[id(p)] for p in group["params"]] for group in (encoder, rest))
    assert sorted(of_encoder + of_rest) == sorted(names.values())  # each once
    assert set(of_encoder) == {name for name in names.values() if name.startswith("encoder.")}
    assert (rest["lr"], encoder["lr"]) == (0.01, 0.0025)
    assert rest["weight_decay"] == encoder["weight_decay"] == 0.1


def test_the_schedule_is_the_same_for_both_rates() -> None:
    config = OptimizerConfig(
        learning_rate=1.0, encoder_learning_rate_factor=0.5, schedule="cosine", warmup_epochs=1, clip_norm=1.0
    )
    optimizer = build_optimizer(create_model("unet_lite0"), config)
    factor = learning_rate_factor(config, steps_per_epoch=3, epochs=4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for step in range(12):
        assert schedule.get_last_lr() == pytest.approx([factor(step), 0.5 * factor(step)])
        optimizer.step()
        schedule.step()


def test_without_a_factor_there_is_one_group() -> None:
    (group,) = build_optimizer(create_model("tmunet_t"), OptimizerConfig()).param_groups
    assert len(group["params"]) == len(list(create_model("tmunet_t").parameters()))


@pytest.mark.parametrize(
    "setting", [{"optimizer": {"encoder_learning_rate_factor": 0.5}}, {"freeze_encoder_batchnorm": True}]
)
def test_a_network_without_an_encoder_is_refused(
    make_dataset: Make, tmp_path: Path, setting: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as caught:
        run_here(make_dataset(), tmp_path / "run", **{"model": "tmunet_t", "epochs": 1, **setting})
    assert caught.value.code == "encoder"


@pytest.mark.parametrize("factor", [0, -1, float("inf")])
def test_a_factor_that_is_no_rate_is_refused(factor: float) -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping(OptimizerConfig, {"encoder_learning_rate_factor": factor}, "test")
    assert caught.value.code == "value"


@pytest.mark.parametrize("ema_decay", [pytest.param(None, marks=pytest.mark.slow), 0.9])
def test_frozen_statistics_stay_and_everything_else_learns(
    make_dataset: Make, tmp_path: Path, ema_decay: float | None
) -> None:
    data = make_dataset(train=4, val=1, test=1)
    optimizer = {"learning_rate": 1e-2, "encoder_learning_rate_factor": 0.1, "ema_decay": ema_decay}
    run = run_here(data, tmp_path / "run", **SMALL, freeze_encoder_batchnorm=True, optimizer=optimizer)
    torch.manual_seed(0)
    found, fresh = weights(run.path), create_model("unet_lite0").state_dict()
    frozen = [name for name in found if name.startswith("encoder.") and name.endswith(STATISTICS)]
    moved = [name for name in found if name.startswith("decoder.") and name.endswith(STATISTICS)]
    assert frozen
    assert moved
    assert all(torch.equal(found[name], fresh[name]) for name in frozen)  # 0, 1 and 0, whatever the seed
    assert not any(torch.equal(found[name], fresh[name]) for name in moved)
    scales = [
        name for name in found if name.startswith("encoder.") and name.endswith("1.weight") and found[name].ndim == 1
    ]
    assert all((found[name] != 1).any() for name in scales)  # their scale and shift learn


def test_training_mode_leaves_frozen_layers_in_eval_mode() -> None:
    settings = {"data": "d", "model": "unet_lite0", "freeze_encoder_batchnorm": True}
    network = create_model("unet_lite0")
    module = SegmentationModule(network, from_mapping(TrainConfig, settings, "test"), ["a"], 1)
    for _ in range(2):
        frozen = {name.split(".")[0] for name, layer in network.named_modules() if not layer.training}
        assert frozen == {"encoder"}
        assert all(isinstance(layer, nn.BatchNorm2d) for layer in network.modules() if not layer.training)
        assert not any(layer.training for layer in module.eval().modules())
        module.train()


def test_the_recipe_fine_tunes_an_encoder_with_learned_weights() -> None:
    config = from_mapping(TrainConfig, {"data": "d", **read_recipe("finetune")}, "finetune")
    assert (config.model, config.pretrained, config.preprocess.normalize) == (
        "tmunet_lite0",
        "imagenet",
        "efficientnet_lite",
    )
    assert config.optimizer.encoder_learning_rate_factor < 1
    strong = from_mapping(TrainConfig, {"data": "d", **read_recipe("strong")}, "strong")
    assert config.augment == strong.augment
