"""TorchScript: a network in one file that torch.jit.load runs without Python code of the network, for MONAI and libtorch."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError


class _EachImage(nn.Module):
    """Runs a graph of one image on batches of any size: a traced graph holds the batch size of its example."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, S, S) to logits (B, K, S, S)."""
        found = []
        for i in range(x.shape[0]):
            found.append(self.graph(x[i : i + 1]))
        return torch.cat(found)


def write_torchscript(network: nn.Module, image: Tensor, file: Path) -> None:
    """Write a network in eval mode, for images of the size of an example and any batch size.

    The graph is that of torch.export, traced again: the tracer of TorchScript alone fails on the network's own code.

    Args:
        network: maps images (B, C, H, W) to logits (B, K, H, W).
        image: an example (1, C, S, S).
        file: ends in .ts.

    Raises:
        BackendError: torch.export or TorchScript does not support an operation.
    """
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, which MONAI's bundles cannot help
            module = torch.export.export(network, (image,)).module(check_guards=False)
            assert isinstance(module, torch.fx.GraphModule)
            plain = torch.fx.GraphModule(module, module.graph)  # which, unlike that of an export, has eval()
            traced = torch.jit.trace(plain, image, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.script(_EachImage(traced.eval())).save(file)  # type: ignore[no-untyped-call]
    except Exception as error:  # torch raises any type
        raise BackendError(f"cannot be exported: {str(error).strip().splitlines()[0][:200]}") from error
