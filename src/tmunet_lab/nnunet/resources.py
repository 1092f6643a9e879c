"""What nnU-Net's programs may use of this machine, and the environment variables that tell them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tmunet.errors import UsageError
from tmunet_lab.nnunet.programs import Programs
from tmunet_lab.nnunet.workspace import Workspace

Device = Literal["cuda", "cpu", "mps"]
_MOST_PROCESSES = 8


@dataclass(frozen=True)
class Machine:
    """What the programs may use, and who hears them.

    Attributes:
        device: where the network is computed, in nnU-Net's words.
        processes: that prepare and augment images beside the network; None for one for each processor, 8 at most.
        show: takes each line that a program writes, and what is skipped.
    """

    device: Device
    processes: int | None
    show: Callable[[str], None]

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise UsageError(f"Expected `processes` to be at least 1, but got {self.processes}.")

    @property
    def workers(self) -> str:
        """The number of processes, as a word of a command."""
        return str(self.processes or min(_MOST_PROCESSES, os.cpu_count() or 1))


def programs_of(workspace: Workspace, machine: Machine) -> Programs:
    """nnU-Net's programs with the environment variables that they need for a workspace."""
    variables: dict[str, str] = {
        f"nnUNet_{name}": str((workspace.folder / name).absolute()) for name in ("raw", "preprocessed", "results")
    }
    variables |= {
        "nnUNet_n_proc_DA": machine.workers,
        "nnUNet_def_n_proc": machine.workers,
        "OMP_NUM_THREADS": "1",  # of each process that augments; on the CPU the network's own takes all processors
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if machine.device != "cuda":
        variables["nnUNet_compile"] = "f"
    if workspace.record.trainers is not None:
        variables["nnUNet_extTrainer"] = workspace.record.trainers
    return Programs(Path(workspace.record.environment), variables, machine.show)
