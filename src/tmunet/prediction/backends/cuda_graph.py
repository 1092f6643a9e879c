"""A network as one CUDA graph: all its kernels are started together, and none waits for Python.

A small network's kernels take less time than Python needs to start them one by one. What is recorded may neither ask the device
for a value nor make a tensor on the CPU (tests/nn/test_other_devices.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tmunet.errors import BackendError

WARM_UP = 3  # libraries choose their kernels and take their workspaces in the first calls, which a graph cannot hold


class CudaGraph:
    """Records a call the first time it comes with a shape, and replays it as long as the shape stays.

    Args:
        run: images (B, C, H, W) on a CUDA device -> logits (B, K, H, W).
    """

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        self._run = run
        self._images: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, K, H, W), a tensor of the caller's own.

        Raises:
            BackendError: the network cannot be recorded.
        """
        with torch.inference_mode():
            if self._images is None or self._images.shape != images.shape:
                self._record(images)
            assert self._images is not None
            self._images.copy_(images)
            self._graph.replay()
            return self._logits.clone()

    def _record(self, images: Tensor) -> None:
        fixed = images.clone()  # a graph reads from the same place each time
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._run(fixed)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                logits = self._run(fixed)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise BackendError(
                f"cannot be recorded as a CUDA graph: {str(error).strip().splitlines()[0][:200]}"
            ) from error
        self._images, self._logits, self._graph = fixed, logits, graph
