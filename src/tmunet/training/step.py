"""One training step on fixed images without Lightning, for benchmarks: loss, optimizer and clipping are those of training."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tmunet.losses import loss_from_config, mean_loss
from tmunet.training.optimizer import build_optimizer
from tmunet.training.train_config import LossConfig, OptimizerConfig
from tmunet.training.weight_average import moving_average


def training_step(
    network: nn.Module,
    images: Tensor,
    masks: Tensor,
    bfloat16: bool = False,
    loss: LossConfig | None = None,
    optimizer: OptimizerConfig | None = None,
) -> Callable[[], Tensor]:
    """Return a call that takes one optimizer step (forward, loss, backward, clip, update), every time on the same images.

    Args:
        network: its weights change; it is put into training mode.
        images: (B, C, H, W), on the device of the network.
        masks: labels (B, H, W).
        bfloat16: autocast to bfloat16.
        loss: weights of the loss; by default those of the paper.
        optimizer: optimizer, clipping and moving average; by default those of the paper. The learning rate stays constant.

    Returns:
        The call; it returns the mean loss over the images.
    """
    loss, config = loss or LossConfig(), optimizer or OptimizerConfig()
    criterion = loss_from_config(network, loss.cross_entropy, loss.dice)
    update = build_optimizer(network, config)
    average = None if config.ema_decay is None else moving_average(network, config.ema_decay)

    def step() -> Tensor:
        network.train()
        update.zero_grad(set_to_none=True)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            value: Tensor = mean_loss(criterion(network(images), masks), masks)
        torch.autograd.backward([value])
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        update.step()
        if average is not None:
            average.update_parameters(network)
        return value.detach()

    return step
