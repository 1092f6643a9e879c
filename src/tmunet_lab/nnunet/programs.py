"""The programs of nnU-Net version 2, run as separate processes in a Python environment of their own; never imported."""

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from tmunet.errors import MissingExtraError, TMUNetError

VERSION = "2.8.1"
"""The version of nnU-Net that this room was written for and tried with."""

_LAST_LINES = 15
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_NOT_HANDED_ON = ("PYTHONPATH", "PYTHONHOME")  # they would lead the other Python to our packages
_ASK_VERSIONS = """
import importlib.metadata as metadata, json, platform
found = {"python": platform.python_version()}
for name in ("nnunetv2", "torch", "numpy", "dynamic-network-architectures"):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class ProgramError(TMUNetError):
    """A program of nnU-Net failed; the message ends with its last lines."""


def _ignore(_: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Programs:
    """What is installed in an environment.

    Attributes:
        environment: folder of a virtual environment in which nnU-Net is installed.
        variables: environment variables, set for the programs only.
        show: takes each line that a program writes.
    """

    environment: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    show: Callable[[str], None] = _ignore

    def find(self, program: str) -> str:
        """Path of a program, such as ``"nnUNetv2_train"``.

        Raises:
            MissingExtraError: it is not there; the message has the commands that install it.
        """
        scripts = self.environment / _SCRIPTS
        found = shutil.which(program, path=str(scripts))
        if found is None:
            raise MissingExtraError(
                f"nnU-Net is not installed in {self.environment}: there is no program {program} in {scripts}. It needs a "
                f"Python environment of its own. Make it with\n{installation(self.environment)}\n"
                "or name another environment with --environment."
            )
        return found

    def run(self, program: str, arguments: Sequence[str], log: Path) -> None:
        """Run a program to its end; what it writes is shown and added to a log file.

        Args:
            program: such as ``"nnUNetv2_train"``.
            arguments: of the program.
            log: text file, made if it does not exist; begins with the command.

        Raises:
            MissingExtraError: the program is not there.
            ProgramError: it failed.
        """
        command = [self.find(program), *arguments]
        log.parent.mkdir(parents=True, exist_ok=True)
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join([program, *arguments])}\n")
            with subprocess.Popen(
                command,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            ) as process:
                assert process.stdout is not None
                Thread(target=_end_with, args=(process,), daemon=True).start()
                try:
                    for line in process.stdout:
                        file.write(line)
                        file.flush()
                        last.append(line.rstrip())
                        self.show(line.rstrip())
                except BaseException:
                    process.terminate()
                    raise
        if process.returncode:
            how = f"exit code {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
            lines = "\n".join(f"    {line}" for line in last)
            raise ProgramError(f"{program} failed with {how}. The last lines of {log}:\n{lines}")

    def versions(self) -> dict[str, str]:
        """Versions of Python, nnU-Net and torch in the environment."""
        python = self.find("python")
        answer = subprocess.run(
            [python, "-c", _ASK_VERSIONS], env=self._variables(), capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise ProgramError(f"{python} does not run: {answer.stderr.strip()}. Make the environment again.")
        found: dict[str, str] = json.loads(answer.stdout)
        return found

    def _variables(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
        return {**ours, "PYTHONUNBUFFERED": "1", **self.variables}


def _end_with(process: "subprocess.Popen[str]") -> None:
    """Once a program has ended, end what it started: processes left behind would hold its output open for ever."""
    process.wait()
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def installation(environment: Path) -> str:
    """The commands that make an environment with nnU-Net.

    >>> print(installation(Path("work") / "environment"))
        python -m venv work/environment
        work/environment/bin/python -m pip install torch torchvision
        work/environment/bin/python -m pip install nnunetv2==2.8.1
    """
    folder = shlex.quote(str(environment))
    pip = f"{shlex.quote(str(environment / _SCRIPTS / 'python'))} -m pip install"
    return "\n".join(
        f"    {line}" for line in (f"python -m venv {folder}", f"{pip} torch torchvision", f"{pip} nnunetv2=={VERSION}")
    )
