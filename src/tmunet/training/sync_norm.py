"""BatchNorm over the images of all processes, also on the CPU, where torch has none."""

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training statistics are those of the batches of all processes together."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        dtype, total = x.dtype, x.numel() // x.shape[1] * dist.get_world_size()
        x = x.to(torch.promote_types(dtype, torch.float32))
        mean = _mean_over_processes(x.mean((0, 2, 3)))
        x = x - mean[:, None, None]  # before squares are taken: a large mean would leave nothing of a small variance
        variance = _mean_over_processes(x.square().mean((0, 2, 3)))
        self._update(mean.detach(), variance.detach() * total / (total - 1))
        y: Tensor = x * (self.weight * torch.rsqrt(variance + self.eps))[:, None, None] + self.bias[:, None, None]
        return y.to(dtype)

    def _update(self, mean: Tensor, variance: Tensor) -> None:
        if self.momentum is None or self.running_mean is None or self.running_var is None:
            raise ValueError("Expected a BatchNorm with a momentum and running statistics.")
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


def _mean_over_processes(x: Tensor) -> Tensor:
    """Mean of what processes with equally many images have; gradients flow through."""
    total: Tensor = all_reduce(x)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


class SyncedNorms(LayerSync):
    """Lightning's layer sync: replace every BatchNorm2d with `SyncedBatchNorm2d` under DDP."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Replace the layers in place; parameters and buffers stay the same objects."""
        return _exchange(model, nn.BatchNorm2d, SyncedBatchNorm2d)

    def revert(self, model: nn.Module) -> nn.Module:
        """Restore the BatchNorm2d layers."""
        return _exchange(model, SyncedBatchNorm2d, nn.BatchNorm2d)


def _exchange(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> nn.Module:
    for module in model.modules():
        if type(module) is old:
            module.__class__ = new
    return model
