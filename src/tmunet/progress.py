"""Progress of long work: bars on a terminal, lines in a log file, and messages through the logger `tmunet`."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

logger = logging.getLogger("tmunet")


def progress_bar(iterable: Any = None, **settings: Any) -> "tqdm[Any]":
    """Create a tqdm bar (`total`, `desc`, `unit`, ...); by default it is shown on terminals only."""
    return tqdm(iterable, **{"disable": None, **settings})


class ProgressLines:
    """Progress as plain lines on standard error, for log files, where a bar would be one endless line.

    Args:
        total: number of steps.
        every: seconds between two lines at least; the first step and the last are always shown.
        clock: seconds since some start.
    """

    def __init__(self, total: int, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._every, self._clock = total, every, clock
        self._start, self._shown, self._from = clock(), -every, 0

    def start_at(self, step: int) -> None:
        """Measure the time left from this step on, where a run was resumed."""
        self._from = step

    def show(self, step: int, text: str) -> None:
        """Write a line for a step, from 1, unless the last one was written just before."""
        now = self._clock() - self._start
        if now - self._shown < self._every and step < self._total:
            return
        self._shown = now
        left = now / max(1, step - self._from) * (self._total - step)
        tqdm.write(f"{text}; {duration(now)}, about {duration(left)} left", file=sys.stderr)


def duration(seconds: float) -> str:
    """Format a time: seconds, minutes or hours.

    >>> duration(7.4), duration(600), duration(9000)
    ('7 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class TerminalHandler(logging.Handler):
    """Writes messages to standard output, above the bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        tqdm.write(self.format(record))


def show_messages() -> None:
    """Show the messages of tmunet on standard output; what a program does, never a library."""
    if not any(isinstance(handler, TerminalHandler) for handler in logger.handlers):
        logger.addHandler(TerminalHandler())
    logger.setLevel(logging.INFO)
