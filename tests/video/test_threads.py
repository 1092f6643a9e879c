"""Threads and the bounded queue: order, drops that are counted, errors that arrive, percentiles of known values."""

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tmunet.errors import InputError, UsageError
from tmunet.prediction.confidence import Confidence
from tmunet.prediction.pipeline import Prediction
from tmunet.video.frame_queue import AbandonedQueueError, FrameQueue
from tmunet.video.frame_reader import Frame
from tmunet.video.latency import percentile, summarize_latency
from tmunet.video.segment import predict_frames, predict_frames_in_turn

from ..coded_errors import coded

TOTAL = 12


class FakeStages:
    """Takes the first pixel as the input, and makes a mask of it; waits in the first frame until told."""

    def __init__(self, wait_for: threading.Event | None = None) -> None:
        self.begun, self._wait_for = threading.Event(), wait_for

    def load(self, image: Any) -> Any:
        return image

    def prepare(self, image: Any, original_size: Any = None) -> Any:  # noqa: ARG002
        return image[0, 0, 0]

    def predict_each(self, inputs: Any) -> Iterator[Any]:
        self.begun.set()
        if self._wait_for is not None:
            assert self._wait_for.wait(20)
        yield from inputs

    def finish(self, probability: Any, size: tuple[int, int]) -> Prediction:
        mask = np.zeros(size, np.uint8)
        mask.flat[: int(probability)] = 1
        confidence = Confidence(1.0, 1.0, None, None, ())
        return Prediction(mask, np.zeros((2, *size), np.float32), ("background", "a"), confidence)


def frame(number: int) -> Frame:
    return Frame(number, Fraction(number, 25), np.full((4, 4, 3), number, np.uint8))


def written(seen: list[int]) -> Any:
    def write(one: Frame, prediction: Prediction) -> Any:
        seen.append(one.number)
        return prediction.mask

    return write


@pytest.mark.parametrize("predict", [predict_frames, predict_frames_in_turn])
def test_every_frame_is_predicted_in_order(predict: Any) -> None:
    seen: list[int] = []
    done = predict(map(frame, range(TOTAL)), FakeStages(), written(seen))
    assert seen == list(range(TOTAL))
    assert [record.areas for record in done.records] == [(number,) for number in range(TOTAL)]
    summary = done.summary()
    assert (summary["frames_read"], summary["frames_predicted"], summary["frames_dropped"]) == (TOTAL, TOTAL, 0)
    assert (summary["shortest_interval_ms"], summary["longest_interval_ms"]) == (40, 40)


@pytest.mark.parametrize("waiting", [1, 3])
def test_a_slow_network_drops_the_oldest_frames_and_counts_them(waiting: int) -> None:
    all_sent = threading.Event()
    stages = FakeStages(wait_for=all_sent)

    def source() -> Iterator[Frame]:
        yield frame(0)
        assert stages.begun.wait(20)
        yield from map(frame, range(1, TOTAL))
        all_sent.set()

    seen: list[int] = []
    done = predict_frames(source(), stages, written(seen), real_time=True, waiting=waiting)
    kept = [0, *range(TOTAL - waiting, TOTAL)]
    assert seen == kept
    assert [record.number for record in done.records] == list(range(TOTAL))
    assert [record.number for record in done.records if record.status == "predicted"] == kept
    assert done.summary()["frames_dropped"] == TOTAL - len(kept)


def broken(number: int) -> Frame:
    if number == 5:
        raise InputError("broken", code="damaged")
    return frame(number)


def test_an_error_of_the_reader_arrives_after_the_frames_before_it() -> None:
    looked: list[int] = []
    with pytest.raises(InputError, check=coded("damaged")):
        predict_frames(map(broken, range(TOTAL)), FakeStages(), written([]), look=lambda one: looked.append(one.number))
    assert looked == list(range(5))


def test_an_error_of_the_writer_arrives_and_ends_the_others() -> None:
    def write(one: Frame, prediction: Prediction) -> Any:
        raise InputError("full", code="encode")

    before, ended = threading.active_count(), threading.Event()
    with pytest.raises(InputError, check=coded("encode")):
        predict_frames(map(frame, range(10_000)), FakeStages(), write, end=ended.set)
    assert ended.is_set()
    assert threading.active_count() == before


def test_an_interrupt_in_the_network_ends_the_threads() -> None:
    def look(one: Frame) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        predict_frames(map(frame, range(10_000)), FakeStages(), written([]), look=look)
    assert threading.active_count() == before


def test_a_full_queue_replaces_its_oldest_items() -> None:
    dropped: list[int] = []
    queue = FrameQueue[int](2, dropped.append)
    for number in range(5):
        queue.put(number)
    queue.close()
    assert (dropped, list(queue)) == ([0, 1, 2], [3, 4])


def test_nothing_can_be_sent_to_a_queue_that_nobody_reads() -> None:
    queue = FrameQueue[int](2)
    queue.put(1)
    queue.abandon()
    with pytest.raises(AbandonedQueueError):
        queue.put(2)
    assert list(queue) == []
    with pytest.raises(UsageError, check=coded("value")):
        FrameQueue[int](0)


def test_percentiles_are_the_nearest_rank() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1, 201)).tolist()
    summary = summarize_latency(values)
    assert summary == {"p50_ms": 100, "p95_ms": 190, "p99_ms": 198, "max_ms": 200}
    assert [percentile([7.0], percent) for percent in (1, 50, 99, 100)] == [7.0] * 4
    assert percentile(values, 37.3) == np.percentile(values, 37.3, method="inverted_cdf")
    assert summarize_latency([]) == {"p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
