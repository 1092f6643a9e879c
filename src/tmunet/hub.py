"""Trained models on Hugging Face's hub, by the hub's own mixin: `from_pretrained`, `save_pretrained`, `push_to_hub`."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tmunet.extras import require
from tmunet.model import TrainedModel, load_model, save_model
from tmunet.model_config import CARD, CONFIG, SEEN, WEIGHTS

require("huggingface_hub", extra="hub")

from huggingface_hub import ModelHubMixin, snapshot_download  # noqa: E402  (after the check that it is there)


class HubModel(nn.Module, ModelHubMixin, library_name="tmunet", pipeline_tag="image-segmentation"):
    """A trained model that the hub can load and save, in the same files as `load_model` and `save_model`.

    What is saved for others keeps the hashes of the images that the model has seen, and not the names of their cases.

        model = HubModel.from_pretrained("somebody/some-model")      # or a model folder
        mask = Predictor(model.trained)("image.png").mask

    Args:
        trained: the network and its configuration.
    """

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self.network, self.trained = trained.network, trained

    def forward(self, x: Tensor) -> Tensor:
        """Normalized images (B, C, H, W) -> logits (B, 1 or K, H, W)."""
        logits: Tensor = self.network(x)
        return logits

    def _save_pretrained(self, save_directory: Path) -> None:
        seen = self.trained.seen
        known = seen.without_names() if seen.train or seen.val else None  # no file would say that nothing was seen
        save_model(save_directory, self.network, self.trained.config, known)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **download: Any) -> "HubModel":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(snapshot_download(model_id, allow_patterns=[WEIGHTS, CONFIG, CARD, SEEN], **download))
        return cls(load_model(folder))
