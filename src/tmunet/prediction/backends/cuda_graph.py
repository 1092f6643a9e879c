"""Run a network as a CUDA graph, without the launch overhead of Python.

Kernels of small networks take less time than Python needs to launch them. Captured code may neither read a value back from the
device nor create a tensor on the CPU (tests/nn/test_other_devices.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tmunet.errors import BackendError

WARM_UP = 3  # the first calls choose kernels and allocate workspaces, which a graph cannot capture


class CudaGraph:
    """Capture a call for an input shape, and replay it until the shape changes.

    Args:
        run: images (B, C, H, W) on a CUDA device -> logits (B, K, H, W).
    """

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        self._run = run
        self._images: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K, H, W), which no later call overwrites.

        Raises:
            BackendError: the network cannot be captured.
        """
        with torch.inference_mode():
            if self._images is None or self._images.shape != images.shape:
                self._capture(images)
            assert self._images is not None
            self._images.copy_(images)
            self._graph.replay()
            return self._logits.clone()

    def _capture(self, images: Tensor) -> None:
        fixed = images.clone()  # a graph reads from one address
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
                f"cannot be recorded as a CUDA graph: {str(error).strip().splitlines()[0][:200]}", code="not-run"
            ) from error
        self._images, self._logits, self._graph = fixed, logits, graph
