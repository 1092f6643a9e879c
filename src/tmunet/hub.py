"""Share trained models on the Hugging Face Hub: `HubModel.from_pretrained`, `save_pretrained`, and what `tmunet push` does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tmunet import __version__
from tmunet.errors import ModelError, UsageError
from tmunet.extras import require
from tmunet.files import sha256, write_text
from tmunet.hub_card import Score, Sharing, hub_card, read_scores
from tmunet.model import TrainedModel, load_model, save_model
from tmunet.model_config import ModelConfig
from tmunet.model_files import CARD, CONFIG, FINGERPRINT, WEIGHTS, HubName, find_model

require("huggingface_hub", extra="hub")

from huggingface_hub import CommitOperationAdd, HfApi, ModelHubMixin, snapshot_download  # noqa: E402  (after the check that it is installed)

OF_A_MACHINE = ("command", "machine", "system")
"""Keys of the provenance and of its versions that stay here: they name folders, computers and their kernel."""


class HubModel(nn.Module, ModelHubMixin, library_name="tmunet", pipeline_tag="image-segmentation"):
    """A trained model for the Hugging Face Hub, in the files of `load_model` and `save_model`.

    The saved training fingerprint holds hashes of the training images without the names of their cases.

        model = HubModel.from_pretrained("somebody/some-model")      # or a model folder
        mask = Predictor(model.trained)("image.png").mask

    Args:
        trained: the network and its configuration.
    """

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self.network, self.trained = trained.network, trained

    def forward(self, x: Tensor) -> Tensor:
        """Map normalized images (B, C, H, W) to logits (B, 1 or K, H, W)."""
        logits: Tensor = self.network(x)
        return logits

    def _save_pretrained(self, save_directory: Path) -> None:
        _save(self.trained, save_directory, self.trained.config)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **download: Any) -> "HubModel":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(snapshot_download(model_id, allow_patterns=[WEIGHTS, CONFIG, CARD, FINGERPRINT], **download))
        return cls(load_model(folder))


@dataclass(frozen=True)
class SharedFiles:
    """The files of a model as they are shared.

    Attributes:
        files: paths.
        weights_sha256: of the weights.
        scores: of the weights, as in the card.
    """

    files: tuple[Path, ...]
    weights_sha256: str
    scores: tuple[Score, ...]


def write_shared(model: Path, folder: Path, repository: str, license: str, intended_use: str) -> SharedFiles:
    """Write a model as it is shared: weights as safetensors, configuration, training fingerprint and card.

    Case names are left out, and so is where the model was trained (`OF_A_MACHINE`).

    Args:
        model: model or run folder, or the name of a packaged model.
        folder: an empty one.
        repository: "user/name" of the Hub.
        license: of the weights, by the Hub's names, such as "apache-2.0" or "cc0-1.0".
        intended_use: a sentence or more.

    Raises:
        ModelError: the model cannot be loaded.
    """
    trained = load_model(model)
    config = replace(trained.config, provenance=_without_machine(trained.config.provenance))
    _save(trained, folder, config)
    weights = sha256(folder / WEIGHTS)
    scores = tuple(read_scores(find_model(model), weights))
    card = hub_card(config, Sharing(repository, license, weights, intended_use, scores, trained.fingerprint))
    write_text(folder / CARD, card)
    return SharedFiles(tuple(sorted(folder.iterdir())), weights, scores)


def _without_machine(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_machine(value) if isinstance(value, Mapping) else value
        for key, value in provenance.items()
        if key not in OF_A_MACHINE
    }


def push_files(name: HubName, shared: SharedFiles, private: bool = False) -> str:
    """Upload the files of `write_shared` in one commit.

    Args:
        name: repository, created if it is not there; its revision becomes a tag on the commit.
        shared: the files.
        private: of a new repository.

    Returns:
        The hash of the commit.

    Raises:
        ModelError: the Hub refuses the files or cannot be reached.
        UsageError: the repository has this tag already.
    """
    api = HfApi(library_name="tmunet", library_version=__version__)
    try:
        api.create_repo(name.repository, private=private or None, exist_ok=True)
        tags = {tag.name for tag in api.list_repo_refs(name.repository).tags}
        if name.revision not in tags:
            done = api.create_commit(
                name.repository,
                [CommitOperationAdd(file.name, file) for file in shared.files],
                commit_message=f"Weights with SHA-256 {shared.weights_sha256}",
            )
            if name.revision is not None:
                api.create_tag(name.repository, tag=name.revision, revision=done.oid)
            return str(done.oid)
    except Exception as error:  # OSError, ValueError, and those of the HTTP client
        raise ModelError(
            f"{name}: expected to upload the model, but: {str(error).splitlines()[0]} Log in with `hf auth login`, or set "
            "HF_TOKEN to a token that may write.",
            code="push",
        ) from error
    raise UsageError(
        f"{name}: the repository has the tag {name.revision} already, and others may rely on it; choose another.",
        code="tag",
    )


def _save(trained: TrainedModel, folder: Path, config: ModelConfig) -> None:
    fingerprint = trained.fingerprint
    # an empty file would claim that no image was used
    known = fingerprint.without_names() if fingerprint.train or fingerprint.val else None
    save_model(folder, trained.network, config, known)
