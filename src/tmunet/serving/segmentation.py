"""Segment the images of requests: threads decode, preprocess and encode; one thread runs the networks, in batches."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tmunet.data.io.images import Pixels
from tmunet.errors import TMUNetError, UsageError
from tmunet.prediction.pipeline import Image, Prediction
from tmunet.serving.batching import Batcher
from tmunet.serving.engine import Engine
from tmunet.serving.limits import Admission, Limits, RequestError, deadline
from tmunet.serving.prometheus import ServerMetrics

_T = TypeVar("_T")


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

    async def segment(self, engine: Engine, load: Callable[[], Image]) -> Prediction:
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

        def finish() -> Prediction:
            return pipeline.finish(probability, size)

        result = await self.in_thread(finish)
        self.metrics.count_image(engine.name)
        return result
