"""A trained model: a network with all that its use needs, as a folder of safetensors, JSON and a readable card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from tmunet.config import to_dict
from tmunet.data.fingerprint import TrainingFingerprint, read_fingerprint
from tmunet.errors import ModelError, UsageError
from tmunet.files import write_bytes, write_json, write_text
from tmunet.model_card import write_card
from tmunet.model_config import CARD, CONFIG, SEEN, WEIGHTS, ModelConfig, find_model, read_config
from tmunet.nn.input_size import input_size_of


@dataclass(frozen=True)
class TrainedModel:
    """A network in evaluation mode, its configuration, and the images that it has seen."""

    network: nn.Module
    config: ModelConfig
    seen: TrainingFingerprint = field(default_factory=TrainingFingerprint)


def save_model(folder: Path, network: nn.Module, config: ModelConfig, seen: TrainingFingerprint | None = None) -> None:
    """Write weights, hashes of the images it has seen (if known), card and configuration, each atomically, the last one last."""
    write_bytes(folder / WEIGHTS, serialize(network))
    if seen is not None:
        write_json(folder / SEEN, seen.to_dict())
    write_text(
        folder / CARD,
        write_card(config.network, config.classes, to_dict(config.preprocess), config.provenance),
    )
    write_json(folder / CONFIG, to_dict(config))


def serialize(network: nn.Module) -> bytes:
    """The content of `model.safetensors`."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return save(weights, metadata={"format": "pt"})


def load_model(path: Path | str) -> TrainedModel:
    """Load a model folder, or the model of a run folder. Only tensors and JSON are read; nothing in them is executed.

    Raises:
        ModelError: there is no model, or its weights and its configuration do not fit each other.
    """
    folder = find_model(Path(path))
    config = read_config(folder)
    try:
        with torch.device("meta"):  # a hostile configuration allocates nothing before its shapes are compared
            network = config.create_network()
    except (UsageError, RuntimeError, TypeError) as error:  # the last two from sizes that no tensor can have
        raise ModelError(f"{folder / CONFIG}: {str(error).splitlines()[0]}") from None
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / WEIGHTS}: expected weights as safetensors, but: {error}") from None
    _check_fit(folder, network.state_dict(), weights)
    network.load_state_dict(weights, assign=True)
    return TrainedModel(network.eval().requires_grad_(False), config, read_fingerprint(folder / SEEN))


def check_size(network: nn.Module, side: int, setting: str) -> None:
    """Refuse square images that a network does not take, before the first of them is prepared.

    Args:
        network: one that may have an `input_size`, as those of `tmunet.registry` have.
        side: height and width, in pixels.
        setting: the name of the setting that says so, for the message.

    Raises:
        UsageError: the network takes other sizes; the message names the next.
    """
    sizes = input_size_of(network)
    if not sizes.admits(side, side):
        raise UsageError(
            f"Expected `{setting}` to be a size that {type(network).__name__} takes ({sizes}), but got {side}; "
            f"the next is {sizes.nearest(side, side)[0]}."
        )


def _check_fit(folder: Path, expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    def describe(tensors: Mapping[str, torch.Tensor], name: str) -> str:
        return f"{list(tensors[name].shape)} {tensors[name].dtype}" if name in tensors else "nothing"

    for name in sorted(expected.keys() | found.keys()):
        if describe(expected, name) != describe(found, name):
            raise ModelError(
                f"{folder / WEIGHTS}: the tensor {name!r} does not fit {CONFIG}: "
                f"expected {describe(expected, name)}, but found {describe(found, name)}."
            )
