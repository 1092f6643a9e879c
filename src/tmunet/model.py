"""Save and load trained models: a folder of weights (safetensors), configuration (JSON) and model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tmunet.config import to_dict
from tmunet.data.fingerprint import TrainingFingerprint, read_fingerprint
from tmunet.data.split.leakage import describe_counts
from tmunet.errors import ModelError, UsageError
from tmunet.files import write_bytes, write_json, write_text
from tmunet.model_config import CARD, CONFIG, FINGERPRINT, WEIGHTS, ModelConfig, OperatingPoint, find_model, read_config
from tmunet.nn.input_size import input_size_of

TAGS = ("medical-imaging", "segmentation", "tm-unet")
HEAD = f"library_name: tmunet\npipeline_tag: image-segmentation\ntags: [{', '.join(TAGS)}]"
"""Metadata of a model card, in YAML."""


@dataclass(frozen=True)
class TrainedModel:
    """A network in eval mode, its configuration, and the fingerprint of the images it was trained and selected on."""

    network: nn.Module
    config: ModelConfig
    fingerprint: TrainingFingerprint = field(default_factory=TrainingFingerprint)


def save_model(
    folder: Path, network: nn.Module, config: ModelConfig, fingerprint: TrainingFingerprint | None = None
) -> None:
    """Write weights, training fingerprint (if known), model card and, last, configuration; each file atomically."""
    write_bytes(folder / WEIGHTS, serialize(network))
    if fingerprint is not None:
        write_json(folder / FINGERPRINT, fingerprint.to_dict())
    write_text(folder / CARD, model_card(config))
    write_json(folder / CONFIG, to_dict(config))


def save_config(folder: Path, config: ModelConfig) -> None:
    """Write a changed configuration of a model, such as a threshold or a calibration, and its model card."""
    write_text(folder / CARD, model_card(config))
    write_json(folder / CONFIG, to_dict(config))


def save_operating_point(folder: Path, config: ModelConfig, point: OperatingPoint) -> ModelConfig:
    """Store the threshold of a model in its folder, in the configuration and the model card; returns the new configuration."""
    changed = replace(config, operating_point=point)
    save_config(folder, changed)
    return changed


def serialize(network: nn.Module) -> bytes:
    """Serialize the weights as in `model.safetensors`."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return save(weights, metadata={"format": "pt"})


def model_card(config: ModelConfig, head: str = HEAD, sections: str = "", name: str = "path/to/this/folder") -> str:
    """Write the model card: Markdown with the YAML metadata of Hugging Face's hub.

    Args:
        config: of the model.
        head: the metadata.
        sections: further Markdown sections, before the limits.
        name: by which the model is loaded.
    """
    labels = ", ".join(f"{i} = {c}" for i, c in enumerate(config.classes))
    facts = "\n".join(f"- {key.replace('_', ' ')}: {_fact(key, value)}" for key, value in config.provenance.items())
    return f"""---
{head}
---
# {config.model}: {", ".join(config.classes[1:])}

A `{config.model}` network that labels each pixel of a 2D image as one of: {labels}.
Images are prepared as follows: {_inline_yaml(to_dict(config.preprocess))}.

{_chosen(config)}## Use

```python
from tmunet import Predictor
mask = Predictor("{name}")("image.png").mask
```

## Where the weights come from

{facts or "- nothing was recorded"}

{sections}## Limits

Research software, not a medical device. Scores hold for images like those it was trained on; look at results on your own
images before you rely on them.
"""


def _chosen(config: ModelConfig) -> str:
    """What was chosen on validation images: threshold and calibration."""
    point, fit = config.operating_point, config.calibration
    threshold = "" if point is None else f"Threshold of the foreground: {point}.\n\n"
    return threshold if fit is None else f"{threshold}Confidence: {fit}.\n\n"


def _fact(key: str, value: Any) -> str:
    if key == "leaks" and isinstance(value, Mapping):
        try:
            return ". ".join(describe_counts(value)) or "no images to compare"
        except (AttributeError, KeyError, TypeError):  # the provenance of a model folder may hold anything
            return _inline_yaml(value)
    return _inline_yaml(value)


def _inline_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n...\n").strip()


class _NoInitialization(TorchFunctionMode):
    """Leave weights as they are: filling those of the device meta by a distribution imports the compiler, for a second."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if function in (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_):
            return args[0] if args else named["tensor"]
        return function(*args, **named)


def load_model(path: Path | str) -> TrainedModel:
    """Load a model folder, or the model of a run folder. Only tensors and JSON are read; no code is executed.

    Raises:
        ModelError: there is no model, or weights and configuration do not match.
    """
    folder = find_model(Path(path))
    config = read_config(folder)
    try:
        # a hostile configuration allocates nothing before the shapes are compared
        with torch.device("meta"), _NoInitialization():
            network = config.create_network()
    except (UsageError, RuntimeError, TypeError) as error:  # the last two from sizes that no tensor can have
        raise ModelError(
            f"{folder / CONFIG}: {str(error).splitlines()[0]}", code="config", path=folder / CONFIG
        ) from None
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / WEIGHTS}: expected weights as safetensors, but: {error}", code="weights", path=folder / WEIGHTS
        ) from None
    _check_fit(folder, network.state_dict(), weights)
    network.load_state_dict(weights, assign=True)
    return TrainedModel(network.eval().requires_grad_(False), config, read_fingerprint(folder / FINGERPRINT))


def check_size(network: nn.Module, side: int, setting: str) -> None:
    """Check that a network takes square images of a size.

    Args:
        network: with an `input_size`, as those of `tmunet.registry`, or without.
        side: height and width in pixels.
        setting: name of the setting, for the message.

    Raises:
        UsageError: the network takes other sizes; the message names the nearest.
    """
    sizes = input_size_of(network)
    if not sizes.admits(side, side):
        raise UsageError(
            f"Expected `{setting}` to be a size that {type(network).__name__} takes ({sizes}), but got {side}; "
            f"the next is {sizes.nearest(side, side)[0]}.",
            code="size",
        )


def _check_fit(folder: Path, expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    def describe(tensors: Mapping[str, torch.Tensor], name: str) -> str:
        return f"{list(tensors[name].shape)} {tensors[name].dtype}" if name in tensors else "nothing"

    for name in sorted(expected.keys() | found.keys()):
        if describe(expected, name) != describe(found, name):
            raise ModelError(
                f"{folder / WEIGHTS}: the tensor {name!r} does not fit {CONFIG}: "
                f"expected {describe(expected, name)}, but found {describe(found, name)}.",
                code="weights-fit",
                path=folder / WEIGHTS,
            )
