"""Package versions, recorded beside every result."""

import platform
from importlib.metadata import PackageNotFoundError, version

from tmunet import __version__


def versions() -> dict[str, str]:
    """Versions of tmunet, Python, the system and the packages that results depend on."""
    found = {"tmunet": __version__, "python": platform.python_version(), "system": platform.platform()}
    for package in ("torch", "pytorch-lightning", "numpy", "pillow", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
