"""Optional packages: imported where they are needed, with an error that names the extra to install."""

import importlib
from types import ModuleType

from tmunet.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: dotted name, such as ``"matplotlib.figure"``.
        extra: the extra of tmunet that installs it, such as ``"report"``.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        package = error.name.split(".")[0]
        raise MissingExtraError(
            f"This needs the package {package!r}, which is not installed. Install it with: pip install 'tmunet[{extra}]'"
        ) from error
