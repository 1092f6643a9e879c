"""Bounded queue between two threads: the sender waits while it is full, or the oldest item makes room and is counted."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tmunet.errors import UsageError

T = TypeVar("T")


class AbandonedQueueError(Exception):
    """The receiver is gone, so that nothing that is sent would arrive."""


class FrameQueue(Generic[T]):
    """Pass items from one thread to another, in order.

    Args:
        size: items that wait at most, 1 or more.
        drop: called with each oldest item that a new one replaces; None lets the sender wait instead.

    Raises:
        UsageError: the size is below 1.
    """

    def __init__(self, size: int, drop: Callable[[T], None] | None = None) -> None:
        if size < 1:
            raise UsageError(f"Expected a queue for 1 frame or more, but got {size}.", code="value")
        self._size, self._drop = size, drop
        self._items, self._change = deque[T](), threading.Condition()
        self._closed = self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Send an item.

        Raises:
            AbandonedQueueError: the receiver is gone.
        """
        with self._change:
            while len(self._items) >= self._size and self._drop is None and not self._abandoned:
                self._change.wait()
            if self._abandoned:
                raise AbandonedQueueError
            if self._drop is not None and len(self._items) >= self._size:
                self._drop(self._items.popleft())
            self._items.append(item)
            self._change.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Say that no item follows; an error is raised at the receiver, after the items that were sent before."""
        with self._change:
            self._closed, self._error = True, error
            self._change.notify_all()

    def abandon(self) -> None:
        """Say that nobody receives any more; a receiver that waits ends too."""
        with self._change:
            self._abandoned = self._closed = True
            self._items.clear()
            self._change.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._change:
                while not self._items and not self._closed:
                    self._change.wait()
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._change.notify_all()
            yield item
