"""When a graph is recorded and what it is given, with a stand-in for CUDA; on a CUDA device, that it gives what PyTorch gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from tmunet.errors import BackendError
from tmunet.prediction.backends.cuda_graph import WARM_UP, CudaGraph
from tmunet.prediction.backends.names import BackendName, Precision
from tmunet.prediction.backends.sessions import create_session
from tmunet.registry import create_model

from ..coded_errors import coded


class Network:
    """Doubles its images; it knows where it reads and writes, as recorded kernels do."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.images, self.logits = images, 2 * images
        return self.logits


class Graph:
    """Computes again in the same places."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def replay(self) -> None:
        images, logits = self.network.images, self.network.logits
        torch.mul(images, 2, out=logits)


class Stream:
    def wait_stream(self, _: "Stream") -> None: ...


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()

    @contextmanager
    def record(_: Graph) -> Iterator[None]:
        yield

    stand_ins: dict[str, Callable[..., Any]] = {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda _: nullcontext(),
        "CUDAGraph": lambda: Graph(network),
        "graph": record,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return network


def test_a_shape_is_recorded_once_and_results_are_the_callers_own(network: Network) -> None:
    run = CudaGraph(network)
    images = [torch.rand(1, 3, 4, 4) for _ in range(3)]
    logits = [run(x) for x in images]
    assert network.calls == WARM_UP + 1
    for x, y in zip(images, logits, strict=True):
        assert torch.equal(y, 2 * x)


def test_another_shape_is_recorded_anew(network: Network) -> None:
    run = CudaGraph(network)
    for shape in ((1, 3, 4, 4), (2, 3, 4, 4), (1, 3, 4, 4)):
        x = torch.rand(shape)
        assert torch.equal(run(x), 2 * x)
    assert network.calls == 3 * (WARM_UP + 1)


def test_what_cannot_be_recorded_says_so(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Graph) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    with pytest.raises(
        BackendError, match=r"^cannot be recorded as a CUDA graph: operation not permitted .* capturing$"
    ):
        CudaGraph(network)(torch.rand(1, 3, 4, 4))


def test_it_is_refused_on_the_cpu() -> None:
    with pytest.raises(BackendError, check=coded("device")):
        create_session("cudagraph", create_model("tmunet_t"), torch.zeros(1, 3, 32, 32), 1, "float32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("backend", ["torch", "compile", "cudagraph"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("tf32", 2e-2), ("bfloat16", 2e-1)])
def test_on_a_cuda_device_logits_are_those_of_the_cpu(
    backend: BackendName, precision: Precision, tolerance: float
) -> None:
    torch.manual_seed(0)
    network = create_model("tmunet_t").eval()
    images = torch.randn(2, 3, 96, 128)
    expected = create_session("torch", network, images, 1, "float32")(images)
    run = create_session(backend, network.to("cuda"), images.to("cuda"), 1, precision)
    for _ in range(2):
        found = run(images.to("cuda")).float().cpu()
        assert float((found - expected).abs().max() / expected.abs().max()) < tolerance
