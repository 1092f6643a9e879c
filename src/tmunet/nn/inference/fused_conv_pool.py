"""The convolution stage of E1 to E3 for inference: max-pooling without positions of the maxima, which only a gradient needs."""

import torch
from torch import Tensor, nn

from tmunet.nn.tmunet import ConvPoolStage


class InferenceConvPoolStage(nn.Module):
    """The function of a `ConvPoolStage` whose BatchNorm is folded: the larger of two rows, then of two columns, then ReLU."""

    def __init__(self, stage: ConvPoolStage) -> None:
        super().__init__()
        self.convolution, _, self.pool, self.relu = stage

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/2, W/2)."""
        x = self.convolution(x)
        if torch.compiler.is_compiling():  # other runtimes have one operation for it
            y: Tensor = self.relu(self.pool(x))
            return y
        H, W = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        rows = torch.maximum(x[:, :, 0:H:2, :W], x[:, :, 1:H:2, :W])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2]).relu_()
