"""Programs of nnU-Net version 2, run as subprocesses in a separate Python environment; never imported."""

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
from typing import Literal

from tmunet.errors import MissingExtraError, TMUNetError, UsageError
from tmunet_lab.nnunet.workspace import Workspace

VERSION = "2.8.1"
"""The version of nnU-Net that this was tested with."""

Device = Literal["cuda", "cpu", "mps"]
_MAX_PROCESSES = 8
_LAST_LINES = 15
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_REMOVED_VARIABLES = ("PYTHONPATH", "PYTHONHOME")  # the other Python would find our packages
_PRINT_VERSIONS = """
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
    """A program of nnU-Net failed; the message ends with its last lines.

    Args:
        program: such as ``"nnUNetv2_train"``.
        message: for the user.
        returncode: of the process; negative for a signal.
    """

    def __init__(self, program: str, message: str, returncode: int) -> None:
        super().__init__(message)
        self.program, self.returncode = program, returncode


def _ignore(_: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Programs:
    """Programs in a virtual environment.

    Attributes:
        environment: folder of the virtual environment in which nnU-Net is installed.
        variables: environment variables of the programs.
        show: takes each line of output.
    """

    environment: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    show: Callable[[str], None] = _ignore

    def find(self, program: str) -> str:
        """Find a program, such as ``"nnUNetv2_train"``.

        Raises:
            MissingExtraError: it is not installed; the message has the commands.
        """
        scripts = self.environment / _SCRIPTS
        found = shutil.which(program, path=str(scripts))
        if found is None:
            raise MissingExtraError(
                f"nnU-Net is not installed in {self.environment}: there is no program {program} in {scripts}. It needs a "
                f"separate Python environment. Make it with\n{installation(self.environment)}\n"
                "or name another environment with --environment."
            )
        return found

    def run(self, program: str, arguments: Sequence[str], log: Path) -> None:
        """Run a program to its end; show its output and append it to a log file.

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
            message = f"{program} failed with {how}. The last lines of {log}:\n{lines}"
            raise ProgramError(program, message, process.returncode)

    def versions(self) -> dict[str, str]:
        """Read the versions of Python, nnU-Net and torch in the environment."""
        python = self.find("python")
        answer = subprocess.run(
            [python, "-c", _PRINT_VERSIONS], env=self._variables(), capture_output=True, text=True, check=False
        )
        if answer.returncode:
            message = f"{python} does not run: {answer.stderr.strip()}. Make the environment again."
            raise ProgramError("python", message, answer.returncode)
        found: dict[str, str] = json.loads(answer.stdout)
        return found

    def _variables(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in _REMOVED_VARIABLES}
        return {**ours, "PYTHONUNBUFFERED": "1", **self.variables}


def _end_with(process: "subprocess.Popen[str]") -> None:
    """Wait for a program and kill its process group: workers left behind would keep its output open for ever."""
    process.wait()
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def installation(environment: Path) -> str:
    """List the commands that install nnU-Net in an environment.

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


@dataclass(frozen=True)
class Resources:
    """Device and processes of nnU-Net's programs.

    Attributes:
        device: of the network.
        processes: for loading and augmentation; None for one a core, at most 8.
        show: takes each line of output, and of steps that are skipped.
    """

    device: Device
    processes: int | None
    show: Callable[[str], None]

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise UsageError(f"Expected `processes` to be at least 1, but got {self.processes}.", code="value")

    @property
    def workers(self) -> str:
        """Number of processes as a command-line argument."""
        return str(self.processes or min(_MAX_PROCESSES, os.cpu_count() or 1))


def programs_of(workspace: Workspace, resources: Resources) -> Programs:
    """Set up nnU-Net's programs with the environment variables of a workspace."""
    variables: dict[str, str] = {
        f"nnUNet_{name}": str((workspace.folder / name).absolute()) for name in ("raw", "preprocessed", "results")
    }
    variables |= {
        "nnUNet_n_proc_DA": resources.workers,
        "nnUNet_def_n_proc": resources.workers,
        "OMP_NUM_THREADS": "1",  # of each augmentation process; on the CPU the network still takes all cores
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if resources.device != "cuda":
        variables["nnUNet_compile"] = "f"
    if workspace.record.trainers is not None:
        variables["nnUNet_extTrainer"] = workspace.record.trainers
    return Programs(Path(workspace.record.environment), variables, resources.show)
