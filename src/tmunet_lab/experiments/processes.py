"""Processes that can be stopped all at once, with time to write their state."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import IO

GRACE = 60.0  # seconds that a training has to end its step; what it wrote after its last epoch is whole in any case


class Stop:
    """Runs processes until it is asked to stop; then it ends those that run, and starts no other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._asked = False

    @property
    def asked(self) -> bool:
        """Whether it was asked to stop."""
        return self._asked

    def run(self, command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> int:
        """Run a command to its end, in a session of its own, so that Ctrl-C reaches it through `ask` alone.

        Args:
            command: the program and its words.
            environment: all its environment variables.
            log: takes what it writes.

        Returns:
            Its exit code; minus the number of a signal that ended it, and minus SIGTERM if it was not started.
        """
        with self._lock:
            if self._asked:
                return -signal.SIGTERM
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.append(process)
        code = process.wait()
        with self._lock:
            self._running.remove(process)
        return code

    def ask(self, grace: float = GRACE) -> None:
        """End all processes by SIGTERM, and those that are still there after `grace` seconds by force."""
        with self._lock:
            self._asked = True
            running = list(self._running)
        for process in running:
            _end(process)
        until = time.monotonic() + grace
        for process in running:
            try:
                process.wait(timeout=max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _end(process, by_force=True)


def _end(process: subprocess.Popen[bytes], by_force: bool = False) -> None:
    """Signal a process and those that it started, such as the other processes of a training on several devices."""
    if sys.platform == "win32":
        process.kill() if by_force else process.terminate()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if by_force else signal.SIGTERM)
