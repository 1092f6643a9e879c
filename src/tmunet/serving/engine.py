"""Choose backend, threads and batch size of a served model by a measurement at start."""

import logging
import time
from collections.abc import Callable, Sequence
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
REPEATS = 3


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
        """Run the network on inputs that `Stages.preprocess` made, as one batch."""
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
    found: list[Engine] = []
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
            found.append(_measure(name, predictor, threads))
    best = min(found, key=lambda engine: engine.seconds)
    torch.set_num_threads(best.threads)
    return best


def _backends(choice: BackendChoice, device: torch.device) -> list[BackendName]:
    for backend in get_args(BackendName):
        if backend == choice:
            return [backend]
    exported: tuple[BackendName, ...] = ("openvino", "onnx")
    there = [one for one in exported if device.type == "cpu" and all(find_spec(package) for package in PACKAGES[one])]
    return [TORCH, *there[:1]]


def _measure(name: str, predictor: Predictor, threads: int) -> Engine:
    pipeline: Stages = predictor.pipeline
    config, random = predictor.config.preprocess, np.random.default_rng(0)
    side = predictor.tile_size or config.size
    images = [random.integers(0, 256, (side, side, config.channels), np.uint8) for _ in range(MAX_BATCH)]
    inputs = [pipeline.prepare(pipeline.load(image)) for image in images]
    expected = [next(iter(pipeline.predict_each([inputs[0]])))]
    alone = _time(lambda: list(pipeline.predict_each(inputs[:1])), 1 if predictor.tile_size else REPEATS)
    if predictor.tile_size is not None or alone > SLOW:
        return Engine(name, predictor, threads, 1, alone)
    size = 1
    for count in range(2, MAX_BATCH + 1):
        expected.append(next(iter(pipeline.predict_each([inputs[count - 1]]))))
        batch = list(pipeline.predict_each(inputs[:count]))
        if not all(_equal(one, other) for one, other in zip(expected, batch, strict=True)):
            break
        size = count
    together = _time(lambda: list(pipeline.predict_each(inputs[:size])), REPEATS) / size
    if size == 1 or together >= alone:
        return Engine(name, predictor, threads, 1, alone)
    return Engine(name, predictor, threads, size, together)


def _equal(one: Any, other: Any) -> bool:
    """Compare what `Stages.predict_each` yields: of one model a `ProbabilityMap`, of several a tuple of them."""
    if isinstance(one, ProbabilityMap):
        return torch.equal(one.probability, other.probability)
    return all(_equal(*pair) for pair in zip(one, other, strict=True))


def _time(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
