"""Let the C library's allocator keep freed memory, so that networks on the CPU do not wait for new pages."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>


def keep_memory() -> bool:
    """Let glibc keep freed blocks for the next layer instead of giving their pages back to the system.

    A feature map is tens of megabytes, which glibc takes from the system and returns each time; touching new pages costs more
    than most layers (`benchmarks/plain_process.md`). The command line calls this by itself. The setting is one of the whole
    process and cannot be taken back: its memory stays at the peak until it ends. So neither `import tmunet` nor `Predictor`
    makes it; a program that predicts many images calls this once, at any time before the first image.

    Returns:
        Whether the allocator took the settings; False without glibc, as on macOS, Windows and Alpine Linux, where nothing is
        changed.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**26}
    return all(mallopt(name, value) == 1 for name, value in settings.items())
