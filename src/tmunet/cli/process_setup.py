"""Set up memory and threads of the process on the CPU; only the command line does this, never the library."""

import os

from tmunet.memory import keep_memory


def prepare_process() -> None:
    """Set the process up for networks on the CPU; call it before torch is imported."""
    # Threads that wait in a loop for the slowest one make everything crawl when another program uses a core, and threads that
    # sleep at once take as long to wake as a small layer takes: 1000 turns are some microseconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    keep_memory()
