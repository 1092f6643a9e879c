"""Run a command of tmunet in a child process that reports its result as JSON.

The child is `python -m tmunet_lab.experiments.child VERB ARGUMENTS...` with the path of a result file in the environment. Its
arguments are those of the command line: so the provenance of a run names a command that anyone can type, and Lightning can start
the other ranks of a training on several devices by repeating them.
"""

import importlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tmunet.errors import TMUNetError
from tmunet.files import write_json
from tmunet_lab.experiments.processes import ProcessGroup

MODULE = "tmunet_lab.experiments.child"  # `__name__` is `__main__` in the child
RESULT = "TMUNET_CHILD_RESULT"  # environment variable: path of the result file
BAR_INTERVAL = "10"  # seconds between two updates of a progress bar, which in a log are lines

Verb = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class ChildResult:
    """How a command ended.

    Attributes:
        exit_code: of the process; minus the number of the signal that ended it.
        error: class name of the exception; empty if it succeeded or reported nothing.
        message: of the exception, or what is known without a report.
    """

    exit_code: int
    error: str = ""
    message: str = ""


def run_in_child(
    words: Sequence[str],
    environment: Mapping[str, str],
    processes: ProcessGroup,
    log: IO[bytes],
    result: Path,
    timeout: float | None = None,
) -> ChildResult:
    """Run `tmunet WORDS...` in a child process.

    Args:
        words: verb and arguments.
        environment: all environment variables of the child.
        processes: group that the child joins.
        log: receives its stdout and stderr.
        result: JSON file that the child writes.
        timeout: in seconds; None waits.

    Raises:
        TimeoutExpired: after the child was terminated.
    """
    result.unlink(missing_ok=True)
    variables = {**environment, RESULT: str(result.resolve()), "TQDM_MININTERVAL": BAR_INTERVAL}
    code = processes.run([sys.executable, "-m", MODULE, *words], variables, log, timeout)
    try:
        reported = json.loads(result.read_bytes())
        return ChildResult(code, str(reported["error"]), str(reported["message"]))
    except (OSError, ValueError, KeyError):  # killed, or not Python at all
        how = (
            ""
            if code == 0
            else f"ended by {signal.Signals(-code).name}"
            if code < 0
            else f"ended with exit code {code}"
        )
        return ChildResult(code, message=how)


def main(words: Sequence[str], verbs: Mapping[str, Verb] | None = None) -> int:
    """Run one verb, and write how it ended to the result file; a traceback of an unexpected error goes to the log.

    Args:
        words: verb and arguments.
        verbs: in place of those of `tmunet.cli`.
    """
    verb, *arguments = words
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(f"tmunet {verb}: warning: {message}", file=sys.stderr)
        try:
            run: Verb = verbs[verb] if verbs else importlib.import_module(f"tmunet.cli.{verb}").run
            code = run(arguments)
        except BaseException as error:
            code = _exit_code(error)
            _report(ChildResult(code, type(error).__name__, str(error)))
            if not isinstance(error, TMUNetError):
                raise
            print(f"tmunet {verb}: {error}", file=sys.stderr)
        else:
            _report(ChildResult(code))
    return code


def _exit_code(error: BaseException) -> int:
    if isinstance(error, TMUNetError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _report(result: ChildResult) -> None:
    path = os.environ.get(RESULT)
    if path and int(os.environ.get("LOCAL_RANK", 0)) == 0:  # other ranks inherit the variable
        write_json(Path(path), asdict(result))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
