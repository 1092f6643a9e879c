"""Describe a predictor so that other processes and machines create the same one, once each."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tmunet.errors import ModelError, UsageError
from tmunet.model_files import find_model
from tmunet.prediction.backends.names import BackendName, Keep, Precision
from tmunet.prediction.predictor import Predictor


@dataclass(frozen=True)
class PredictorSettings:
    """The arguments of a `Predictor`, with the hash of its weights.

    Attributes:
        models: model folders, as absolute paths, or names that every machine can load.
        weights_sha256: `Predictor.weights_sha256()`.
    """

    models: tuple[str, ...]
    weights_sha256: str
    tile_size: int | None
    tta: bool
    backend: BackendName
    device: str
    precision: Precision
    threshold: float | None
    keep: Keep
    fill_holes: bool
    min_size: int

    @classmethod
    def of(cls, predictor: Predictor) -> "PredictorSettings":
        """Describe a predictor.

        Raises:
            UsageError: a model is in memory only.
        """
        names = [one.name for one in (predictor, *predictor.others)]
        models = [str(Path(name).absolute()) if Path(name).exists() else name for name in names]
        try:
            for model in models:
                find_model(Path(model))
        except ModelError as error:
            raise UsageError(
                f"Expected models in folders or by name, which other machines can load, but: {error}", code="in-memory"
            ) from None
        mask_of = predictor.postprocess
        return cls(
            tuple(models),
            predictor.weights_sha256(),
            predictor.tile_size,
            predictor.tta,
            predictor.backend,
            predictor.device.type,
            predictor.precision,
            mask_of.threshold if len(predictor.config.classes) == 2 else None,
            mask_of.keep,
            mask_of.fill_holes,
            mask_of.min_size,
        )

    def create(self) -> Predictor:
        """Create the predictor, or return the one that this process created last.

        Raises:
            ModelError: the weights of that name are others here, or as of `Predictor`.
        """
        return _create(self)


@lru_cache(maxsize=1)
def _create(settings: PredictorSettings) -> Predictor:
    predictor = Predictor(
        settings.models,
        settings.tile_size,
        settings.tta,
        settings.backend,
        settings.device,  # type: ignore[arg-type]  # a type of torch.device
        settings.precision,
        settings.threshold,
        settings.keep,
        settings.fill_holes,
        settings.min_size,
    )
    if (found := predictor.weights_sha256()) != settings.weights_sha256:
        raise ModelError(
            f"{', '.join(settings.models)}: expected weights with SHA-256 {settings.weights_sha256:.12}, but this worker found "
            f"{found:.12}; give it the same files.",
            code="other-weights",
            path=settings.models[0],
        )
    return predictor
