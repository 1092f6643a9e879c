"""Dynamic batching: inputs of requests that arrive together run as one batch of the network, after a bounded wait."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

MAX_WAIT = 0.005  # seconds that an input waits for others that are on their way


class Batcher:
    """Run inputs in batches, in one thread.

    A batch is full, or nothing else is on its way, or its first input has waited for `MAX_WAIT`: a lone client never waits.
    Inputs that come while the network runs make the next batch.

    Args:
        run: maps inputs to as many outputs; it is called in `thread`.
        batch_size: most inputs of a batch.
        thread: executor of one thread, which several batchers may share.
        observe: gets the size of each batch that was run.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Any]], list[Any]],
        batch_size: int,
        thread: Executor,
        observe: Callable[[int], None],
    ) -> None:
        self._run, self._batch_size, self._thread, self._observe = run, batch_size, thread, observe
        self._waiting: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()
        self._arriving = 0

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Say that an input is being prepared, which a batch may wait for."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def __call__(self, x: Any) -> Any:
        """Wait for the output of an input; where the caller is cancelled, the input is left out if it has not begun."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((x, future))
        return await future

    async def serve(self) -> None:
        """Run batches until cancelled."""
        while True:
            batch = [one for one in await self._collect() if not one[1].done()]
            if batch:
                await self._answer(batch)

    async def _collect(self) -> list[tuple[Any, asyncio.Future[Any]]]:
        batch = [await self._waiting.get()]
        end = asyncio.get_running_loop().time() + MAX_WAIT
        while len(batch) < self._batch_size:
            if not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
                continue
            left = end - asyncio.get_running_loop().time()
            if not self._arriving or left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._waiting.get(), left))
            except TimeoutError:
                break
        return batch

    async def _answer(self, batch: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._thread, self._run, [x for x, _ in batch])
        except Exception as error:
            if len(batch) > 1:  # one input must not spoil the answers of others
                for one in batch:
                    await self._answer([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        self._observe(len(batch))
        for (_, future), output in zip(batch, outputs, strict=True):
            if not future.done():
                future.set_result(output)
