"""Progress of long work: bars on a terminal, and messages through the logger `tmunet`, which the command line shows."""

import logging
from typing import Any

from tqdm import tqdm

logger = logging.getLogger("tmunet")


def progress_bar(iterable: Any = None, **settings: Any) -> "tqdm[Any]":
    """Create a tqdm bar (`total`, `desc`, `unit`, ...); by default it is shown on terminals only."""
    return tqdm(iterable, **{"disable": None, **settings})


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
