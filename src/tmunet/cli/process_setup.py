"""Set up memory and threads of the process on the CPU; only the command line does this, never the library."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>


def prepare_process() -> None:
    """Set the process up for networks on the CPU; call it before torch is imported."""
    # Threads that wait in a loop for the slowest one make everything crawl when another program uses a core, and threads that
    # sleep at once take as long to wake as a small layer takes: 1000 turns are some microseconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    keep_memory()


def keep_memory() -> None:
    """Let glibc keep freed blocks for the next layer instead of giving their pages back to the system.

    A feature map is tens of megabytes, which glibc takes from the system and returns each time; touching new pages
    costs more than most layers. Nothing happens on other systems.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, 2**26)
