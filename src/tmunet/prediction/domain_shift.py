"""What predicted images have that those of training had not, told once a call, folder or data set."""

from typing import Any

from numpy.typing import NDArray

from tmunet.data.training_stats import Intensity
from tmunet.model_config import ModelConfig
from tmunet.prediction.intensity import warn_of_intensity
from tmunet.prediction.scale import Size, warn_of_scale


class Unlike:
    """Takes note of images, and tells of all of them together.

    Args:
        config: of the model, with what it knows of its training images.
        tile_size: side of a tile in pixels, or None.
    """

    def __init__(self, config: ModelConfig, tile_size: int | None) -> None:
        self._config, self._window = config, tile_size
        self._sizes: list[Size] = []
        self._intensities: dict[str, Intensity] = {}

    def add(self, name: str, image: NDArray[Any]) -> None:
        """Take note of an image (H, W, C) of the model's channels, at its own size."""
        self._sizes.append((image.shape[0], image.shape[1]))
        self._intensities[name] = Intensity.of(image)

    def tell(self) -> None:
        """Warn of what is unlike training.

        Warns:
            TMUNetWarning: of the scale or of the values of images.
        """
        warn_of_scale(self._sizes, self._config.preprocess.size, self._window, self._config.scale)
        warn_of_intensity(self._intensities, self._config)
