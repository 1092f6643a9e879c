"""Run processes that can be terminated together, with time to write their state."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import IO

GRACE = 60.0  # seconds for a training to end its step; files of finished epochs are complete in any case


class ProcessGroup:
    """Runs processes, from several threads, until `terminate` ends them all."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._terminated = False

    @property
    def terminated(self) -> bool:
        """Whether `terminate` was called."""
        return self._terminated

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], log: IO[bytes], timeout: float | None = None
    ) -> int:
        """Run a command to its end, in its own session, so that Ctrl-C does not reach it directly.

        Args:
            command: program and arguments.
            environment: all its environment variables.
            log: receives stdout and stderr.
            timeout: in seconds; None waits.

        Returns:
            Its exit code; minus the number of the signal that ended it, minus SIGTERM if it was not started.

        Raises:
            TimeoutExpired: after the process was terminated.
        """
        with self._lock:
            if self._terminated:
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
        try:
            return process.wait(timeout)
        except BaseException:
            _terminate([process], GRACE)
            raise
        finally:
            with self._lock:
                self._running.remove(process)

    def terminate(self, grace: float = GRACE) -> None:
        """End all processes by SIGTERM, after `grace` seconds by SIGKILL; no other is started."""
        with self._lock:
            self._terminated = True
            running = list(self._running)
        _terminate(running, grace)


def _terminate(processes: Sequence[subprocess.Popen[bytes]], grace: float) -> None:
    for process in processes:
        _signal(process)
    until = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(process, kill=True)


def _signal(process: subprocess.Popen[bytes], kill: bool = False) -> None:
    """Signal a process and its children, such as the other ranks of a training on several devices."""
    if sys.platform == "win32":
        process.kill() if kill else process.terminate()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
