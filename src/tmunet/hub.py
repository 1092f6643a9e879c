"""Share trained models on the Hugging Face Hub: `from_pretrained`, `save_pretrained`, `push_to_hub`."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tmunet.extras import require
from tmunet.model import TrainedModel, load_model, save_model
from tmunet.model_config import CARD, CONFIG, FINGERPRINT, WEIGHTS

require("huggingface_hub", extra="hub")

from huggingface_hub import ModelHubMixin, snapshot_download  # noqa: E402  (after the check that it is installed)


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
        fingerprint = self.trained.fingerprint
        # an empty file would claim that no image was used
        known = fingerprint.without_names() if fingerprint.train or fingerprint.val else None
        save_model(save_directory, self.network, self.trained.config, known)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **download: Any) -> "HubModel":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(snapshot_download(model_id, allow_patterns=[WEIGHTS, CONFIG, CARD, FINGERPRINT], **download))
        return cls(load_model(folder))
