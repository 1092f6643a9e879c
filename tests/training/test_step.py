"""The training step of benchmarks is that of the Lightning module."""

import copy

import pytest
import torch
from torch import nn

from tmunet.config import from_mapping
from tmunet.losses import mean_loss
from tmunet.training.module import SegmentationModule
from tmunet.training.step import training_step
from tmunet.training.train_config import TrainConfig


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_step_gives_the_weights_of_the_module(name: str) -> None:
    optimizer = {"name": name, "learning_rate": 0.02, "weight_decay": 0.3, "clip_norm": 0.01, "ema_decay": 0.9}
    settings = {"data": "x", "loss": {"cross_entropy": 0.5, "dice": 3.0}, "optimizer": optimizer}
    config = from_mapping(TrainConfig, settings, where="test")
    network = nn.Conv2d(3, 1, 3, padding=1)
    module = SegmentationModule(copy.deepcopy(network), config, ["a"], 1)
    images, masks = torch.randn(2, 3, 8, 8), torch.randint(2, (2, 8, 8), dtype=torch.uint8)
    masks[1, 4:] = 255

    found = training_step(network, images, masks, loss=config.loss, optimizer=config.optimizer)()

    update = module.configure_optimizers()["optimizer"]
    expected = mean_loss(module.training_loss(module.network(images), masks), masks)
    expected.backward()
    assert nn.utils.clip_grad_norm_(module.network.parameters(), 0.01) > 0.01  # so that clipping shows
    update.step()
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(dict(network.state_dict()), dict(module.network.state_dict()))
