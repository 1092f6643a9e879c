"""Choose backend, threads and batch size of a served model by a measurement at start."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, get_args

import numpy as np
import torch

from tmunet.device import Device, choose_device
from tmunet.errors import BackendError
from tmunet.model import load_model
from tmunet.prediction.backends.names import TORCH, BackendChoice, BackendName
from tmunet.prediction.backends.sessions import PACKAGES
from tmunet.prediction.pipeline import ProbabilityMap, Stages
from tmunet.prediction.predictor import Predictor

logger = logging.getLogger("tmunet.serving")

MAX_BATCH = 8  # images in one call of the network
SLOW = 0.25  # seconds an image above which a batch gains nothing on a CPU, and its measurement would take long
ROUNDS = 5


@dataclass(frozen=True)
class Engine:
    """A model that is ready to serve.

    Attributes:
        name: in addresses.
        predictor: the model.
        threads: of the network on the CPU.
        batch_size: largest batch in which each image gets the same probabilities, bit by bit, as by itself.
        seconds: an image takes in the network, as measured.
    """

    name: str
    predictor: Predictor
    threads: int
    batch_size: int
    seconds: float

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the network on inputs that `Stages.prepare` made, as one batch."""
        torch.set_num_threads(self.threads)
        return list(self.predictor.pipeline.predict_each(inputs))


def choose_engine(
    name: str,
    model: str,
    backend: BackendChoice = "auto",
    device: Device = "auto",
    tile_size: int | None = None,
    tta: bool = False,
) -> Engine:
    """Measure the backends that are installed with one thread, half of them and all of them; return the fastest.

    Args:
        name: in addresses.
        model: model or run folder, or a name.
        backend: "auto" compares PyTorch with OpenVINO, or else ONNX Runtime, on a CPU; another one is used as it is.
        device: as of `Predictor`.
        tile_size: as of `Predictor`.
        tta: as of `Predictor`.

    Raises:
        TMUNetError: as of `Predictor`.
    """
    trained = load_model(model)
    place = choose_device(device)
    found: list[_Candidate] = []
    most = torch.get_num_threads()
    for threads in sorted({1, max(1, most // 2), most}) if place.type == "cpu" else [most]:
        for one in _backends(backend, place):
            torch.set_num_threads(threads)
            try:
                predictor = Predictor(trained, tile_size, tta, one, device)
            except BackendError as error:
                if backend != "auto" or one == TORCH:
                    raise
                logger.warning("%s is not used: %s", one, error)
                continue
            found.append(_Candidate(predictor, threads))
    for _ in range(ROUNDS):  # in turn, so that other programs on the machine slow down all alike
        for candidate in found:
            candidate.measure()
    best = min(found, key=lambda candidate: candidate.seconds)
    torch.set_num_threads(best.threads)
    return Engine(name, best.predictor, best.threads, best.batch_size, best.seconds)


def _backends(choice: BackendChoice, device: torch.device) -> list[BackendName]:
    for backend in get_args(BackendName):
        if backend == choice:
            return [backend]
    exported: tuple[BackendName, ...] = ("openvino", "onnx")
    there = [one for one in exported if device.type == "cpu" and all(find_spec(package) for package in PACKAGES[one])]
    return [TORCH, *there[:1]]


class _Candidate:
    """A backend with a number of threads, and the shortest time that it took."""

    def __init__(self, predictor: Predictor, threads: int) -> None:
        self.predictor, self.threads = predictor, threads
        config, random = predictor.config.preprocess, np.random.default_rng(0)
        side = predictor.tile_size or config.size
        images = [random.integers(0, 256, (side, side, config.channels), np.uint8) for _ in range(MAX_BATCH)]
        pipeline: Stages = predictor.pipeline
        self._inputs = [pipeline.prepare(pipeline.load(image)) for image in images]
        self._run(1)
        self._times = {1: self._run(1)[1]}
        if predictor.tile_size is None and self._times[1] <= SLOW and (size := self._largest_batch()) > 1:
            self._times[size] = self._run(size)[1] / size

    @property
    def batch_size(self) -> int:
        return min(self._times, key=self._times.__getitem__)

    @property
    def seconds(self) -> float:
        return min(self._times.values())

    def measure(self) -> None:
        """Measure anew, and keep the shorter times."""
        torch.set_num_threads(self.threads)
        if self._times[1] <= SLOW:
            self._times = {size: min(known, self._run(size)[1] / size) for size, known in self._times.items()}

    def _largest_batch(self) -> int:
        """Find the largest batch in which each image gets the probabilities that it gets alone, as do all smaller batches."""
        alone = self._run(1)[0]
        for size in range(2, MAX_BATCH + 1):
            alone.append(next(iter(self.predictor.pipeline.predict_each([self._inputs[size - 1]]))))
            if not all(_equal(*pair) for pair in zip(alone, self._run(size)[0], strict=True)):
                return size - 1
        return MAX_BATCH

    def _run(self, size: int) -> tuple[list[Any], float]:
        start = time.perf_counter()
        outputs = list(self.predictor.pipeline.predict_each(self._inputs[:size]))
        return outputs, time.perf_counter() - start


def _equal(one: Any, other: Any) -> bool:
    """Compare what `Stages.predict_each` yields: of one model a `ProbabilityMap`, of several a tuple of them."""
    if isinstance(one, ProbabilityMap):
        return torch.equal(one.probability, other.probability)
    return all(_equal(*pair) for pair in zip(one, other, strict=True))
