"""One optimizer step on given images, as training does it: forward, loss, backward, optimizer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tmunet.losses import loss_from_config, mean_loss


def training_step(
    network: nn.Module,
    images: Tensor,
    masks: Tensor,
    bfloat16: bool = False,
    cross_entropy: float = 2.0,
    dice: float = 1.0,
    learning_rate: float = 1e-4,
) -> Callable[[], Tensor]:
    """A call that takes one step of Adam, every time on the same images.

    Args:
        network: its weights change; it is put into training mode.
        images: (B, C, H, W), on the device of the network.
        masks: labels (B, H, W).
        bfloat16: in bfloat16 where autocast allows it.
        cross_entropy: lambda_1 of Eq. 9.
        dice: lambda_2 of Eq. 9.
        learning_rate: of Adam.

    Returns:
        The call; it gives the mean loss of the images that have a pixel that counts.
    """
    loss = loss_from_config(network, cross_entropy, dice)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def step() -> Tensor:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            value: Tensor = mean_loss(loss(network(images), masks), masks)
        torch.autograd.backward([value])
        optimizer.step()
        return value.detach()

    return step
