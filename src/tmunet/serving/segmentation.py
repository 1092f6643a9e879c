"""Segment the images of requests: threads decode, preprocess and encode; one thread runs the networks, in batches."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.images import Pixels
from tmunet.data.training_stats import Intensity
from tmunet.errors import TMUNetError, UsageError
from tmunet.prediction.domain_shift import MAX_SCALE_FACTOR, has_other_range, scale_factor
from tmunet.prediction.pipeline import Image, Prediction
from tmunet.prediction.predictor import Predictor
from tmunet.serving.batching import Batcher
from tmunet.serving.engine import Engine
from tmunet.serving.limits import Admission, Limits, RequestError, deadline
from tmunet.serving.prometheus import ServerMetrics

_T = TypeVar("_T")


@dataclass(frozen=True)
class Segmentation:
    """The mask of an image, and why it may be wrong.

    Attributes:
        prediction: mask (H, W) and probabilities (K, H, W).
        domain_shift: "scale" or "intensity", where the image differs in it from the training images.
    """

    prediction: Prediction
    domain_shift: tuple[str, ...]


class Service:
    """Models with their batches, threads, limits and metrics.

    Args:
        engines: models of different names; the first is the default.
        limits: of requests.

    Raises:
        UsageError: there is no model, or two have one name.
    """

    def __init__(self, engines: Sequence[Engine], limits: Limits) -> None:
        self.engines = {engine.name: engine for engine in engines}
        if not engines or len(self.engines) < len(engines):
            raise UsageError("Expected one or more models of different names.", code="models")
        self.limits, self.admission = limits, Admission(limits.queue)
        self.metrics = ServerMetrics(lambda: self.admission.count)
        self._network = ThreadPoolExecutor(1, "network")
        self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "images")
        self._batchers = {
            name: Batcher(engine.run, engine.batch_size, self._network, self.metrics.batches.observe)
            for name, engine in self.engines.items()
        }

    def engine(self, name: str | None) -> Engine:
        """Find a model by its name; None is the first.

        Raises:
            RequestError: 404, there is none of this name.
        """
        if name is None:
            return next(iter(self.engines.values()))
        if name not in self.engines:
            raise RequestError(404, f"There is no such model; there are: {', '.join(self.engines)}.", "model")
        return self.engines[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run batches while inside; the threads finish what they have begun."""
        tasks = [asyncio.create_task(batcher.serve()) for batcher in self._batchers.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._network.shutdown()
            self._pool.shutdown()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Hold the limits of number and time while a request is in progress.

        Raises:
            RequestError: 503, the server is busy or the time is over.
        """
        with self.admission.enter():
            async with deadline(self.limits.timeout):
                yield

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Run work on an image or a body in a thread; its errors become those of the request.

        Raises:
            RequestError: 422, 415 for a file of another format.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TMUNetError as error:
            raise RequestError(415 if error.code == "format" else 422, str(error), error.code) from None

    async def segment(self, engine: Engine, load: Callable[[], Image]) -> Segmentation:
        """Segment the image that `load` returns, as `Predictor` does.

        Raises:
            RequestError: 422, the image does not fit; 415, it is of another format.
        """
        batcher, pipeline = self._batchers[engine.name], engine.predictor.pipeline

        def prepare() -> tuple[Pixels, Any]:
            pixels = pipeline.load(load())
            return pixels, pipeline.prepare(pixels)

        with batcher.arriving():
            pixels, x = await self.in_thread(prepare)
        probability = await batcher(x)
        size = (pixels.shape[0], pixels.shape[1])

        def finish() -> Segmentation:
            return Segmentation(pipeline.finish(probability, size), domain_shift(engine.predictor, pixels))

        result = await self.in_thread(finish)
        self.metrics.count_image(engine.name)
        return result


def domain_shift(predictor: Predictor, image: Pixels) -> tuple[str, ...]:
    """Name what differs from the training images, by the limits of `tmunet.prediction.domain_shift`."""
    config, shift = predictor.config, []
    if config.scale is not None and predictor.tile_size is None:
        factor = scale_factor((image.shape[0], image.shape[1]), config.preprocess.size, config.scale)
        if max(factor, 1 / factor) > MAX_SCALE_FACTOR:
            shift.append("scale")
    if has_other_range(Intensity.of(image), config):
        shift.append("intensity")
    return tuple(shift)


def agreement(prediction: Prediction) -> float | None:
    """Compute the soft Dice of the foreground probability and the mask, a score of confidence between 0 and 1.

    ``2 sum(p m) / (sum(p) + sum(m))``, p being 1 minus the probability (K, H, W) of the background, m the pixels (H, W) of the
    foreground. None for an empty mask, which says nothing by it.
    """
    mask: NDArray[np.bool_] = prediction.mask > 0
    if not mask.any():
        return None
    foreground = 1 - prediction.probability[0].astype(np.float64)
    return float(2 * foreground[mask].sum() / (foreground.sum() + mask.sum()))
