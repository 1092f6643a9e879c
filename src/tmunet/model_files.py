"""Find the files of a trained model: a model folder, a run folder, a packaged model, or a repository of the Hugging Face Hub.

Reading a name imports no torch; huggingface_hub is imported for a name that is no folder here.
"""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tmunet import __version__
from tmunet.errors import MissingExtraError, ModelError, UsageError
from tmunet.extras import require

WEIGHTS, CONFIG, CARD, FINGERPRINT = "model.safetensors", "config.json", "README.md", "training_fingerprint.json"

_HUB_NAME = re.compile(r"(?!.*\.\.)(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^\s@]+))?", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """A repository of the Hugging Face Hub, as in `user/name@v1`.

    Attributes:
        repository: "user/name".
        revision: tag, branch or commit; None is the newest.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository if self.revision is None else f"{self.repository}@{self.revision}"


def parse_hub_name(text: str) -> HubName:
    """Parse `user/name` or `user/name@revision`.

    Raises:
        UsageError: it is neither.
    """
    found = _HUB_NAME.fullmatch(text)
    if found is None:
        raise UsageError(
            f"Expected a repository of the Hugging Face Hub, such as user/name or user/name@v1, but got {text!r}.",
            code="hub-name",
        )
    return HubName(found["repository"], found["revision"])


def is_hub_name(path: Path) -> bool:
    """Return whether a path names a repository of the Hub: `user/name` where there is no folder `user` here."""
    return bool(_HUB_NAME.fullmatch(path.as_posix())) and not Path(path.parts[0]).exists()


def packaged_model(name: str = "nuclei-t") -> Path:
    """Return the folder of a packaged model."""
    return Path(str(resources.files("tmunet") / "models" / name))


def find_model(path: Path) -> Path:
    """Find the model folder from a model folder, a run folder, a file in a model folder, or a name.

    Names are those of packaged models, such as nuclei-t, and of the Hugging Face Hub, such as user/name@v1: files of the latter
    are downloaded once, into the cache of huggingface_hub. Where there is a folder `user` here, nothing is asked of the Hub.

    Raises:
        ModelError: there is none.
        MissingExtraError: it can only be a name on the Hub, and huggingface_hub is not installed.
    """
    folder = path.parent if path.name in (WEIGHTS, CONFIG) else path
    for candidate in (folder, folder / "model"):
        if (candidate / CONFIG).is_file():
            return candidate
    if not path.exists() and len(path.parts) == 1 and packaged_model(path.name).is_dir():
        return packaged_model(path.name)
    if is_hub_name(path):
        return _download(parse_hub_name(path.as_posix()))
    found = (
        "a file of another kind" if path.is_file() else "a folder without them" if path.is_dir() else "nothing there"
    )
    raise ModelError(
        f"{path}: expected a model folder ({CONFIG}, {WEIGHTS}) or a run folder with one in model/, but found {found}. "
        "Training writes one into its run folder; checkpoints (.ckpt, .pt, .pth) are not loaded because they can hold code.",
        code="no-model",
        path=path,
    )


def _download(name: HubName) -> Path:
    """Download the files of a model, no others, and return their folder; with `HF_HUB_OFFLINE=1` take it from the cache."""
    try:
        hub = require("huggingface_hub", extra="hub")
    except MissingExtraError as error:
        raise MissingExtraError(
            f"{name}: there is no such folder. To take it from the Hugging Face Hub: {error}"
        ) from None
    try:
        folder = hub.snapshot_download(
            name.repository,
            revision=name.revision,
            allow_patterns=[WEIGHTS, CONFIG, CARD, FINGERPRINT],
            library_name="tmunet",
            library_version=__version__,
        )
    except Exception as error:  # OSError, ValueError, and those of the HTTP client
        raise ModelError(
            f"{name}: expected a model folder, or a model on the Hugging Face Hub, but: {str(error).splitlines()[0]}",
            code="no-model",
            path=str(name),
        ) from error
    if not (Path(folder) / CONFIG).is_file():
        raise ModelError(
            f"{name}: expected a model of tmunet ({CONFIG}, {WEIGHTS}), but the repository of the Hub has no {CONFIG}.",
            code="no-model",
            path=str(name),
        )
    return Path(folder)
