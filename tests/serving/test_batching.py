"""Dynamic batching: what runs together, how long an input waits, and that one input cannot spoil another."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tmunet.serving.batching import MAX_WAIT, Batcher


def run(scenario: Callable[[Batcher, list[int]], Awaitable[Any]], batch_size: int = 4) -> list[int]:
    """Run a scenario with a batcher that doubles numbers; returns the sizes of the batches."""
    sizes: list[int] = []

    def double(inputs: Any) -> list[int]:
        if -1 in inputs:
            raise ValueError("-1")
        return [2 * x for x in inputs]

    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(double, batch_size, thread, sizes.append)
            task = asyncio.create_task(batcher.serve())
            try:
                await asyncio.wait_for(scenario(batcher, sizes), 20)
            finally:
                task.cancel()

    asyncio.run(main())
    return sizes


def test_inputs_that_come_together_are_batches_of_at_most_the_size() -> None:
    async def scenario(batcher: Batcher, sizes: list[int]) -> None:
        assert await asyncio.gather(*(batcher(x) for x in range(10))) == [2 * x for x in range(10)]

    assert run(scenario) == [4, 4, 2]


def test_an_input_waits_for_one_on_its_way_but_not_for_long() -> None:
    async def scenario(batcher: Batcher, sizes: list[int]) -> None:
        async def later(x: int) -> int:
            with batcher.arriving():
                await asyncio.sleep(MAX_WAIT / 5)
            result: int = await batcher(x)
            return result

        assert await asyncio.gather(later(1), batcher(2)) == [2, 4]
        with batcher.arriving():  # never comes
            start = asyncio.get_running_loop().time()
            assert await batcher(3) == 6
            assert asyncio.get_running_loop().time() - start >= MAX_WAIT * 0.9

    assert run(scenario) == [2, 1]


def test_a_lone_input_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmunet.serving.batching.MAX_WAIT", 1000.0)

    async def scenario(batcher: Batcher, sizes: list[int]) -> None:
        assert await batcher(1) == 2

    assert run(scenario) == [1]


def test_an_input_that_fails_spoils_no_other() -> None:
    async def scenario(batcher: Batcher, sizes: list[int]) -> None:
        results = await asyncio.gather(*(batcher(x) for x in (1, -1, 3)), return_exceptions=True)
        assert results[0] == 2
        assert isinstance(results[1], ValueError)
        assert results[2] == 6

    assert run(scenario) == [1, 1]


def test_an_input_whose_caller_left_is_not_run() -> None:
    async def scenario(batcher: Batcher, sizes: list[int]) -> None:
        left = asyncio.create_task(batcher(1))
        left.cancel()
        gone = asyncio.create_task(batcher(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await batcher(3) == 6

    assert run(scenario) == [1]
