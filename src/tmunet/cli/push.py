"""`tmunet push`: share a trained model on the Hugging Face Hub."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.errors import UsageError


@dataclass(frozen=True)
class PushConfig:
    """Share a trained model on the Hugging Face Hub, with a model card: license, intended use, scores, hashes."""

    model: str
    """Run or model folder."""
    to: str
    """Repository, such as user/name; it is created if it is not there. user/name@v1 also tags the commit."""
    license: str | None = None
    """License of the weights by the names of the Hub, such as apache-2.0, cc-by-4.0 or cc0-1.0. It has to allow what the licenses
    of the training images ask for."""
    intended_use: str = "Research on 2D images like those it was trained on. Not for diagnosis or treatment."
    """Sentence for the card."""
    private: bool = False
    """Make a new repository private."""
    dry_run: bool = False
    """Upload nothing: print the card and list the files."""


def run(arguments: Sequence[str]) -> int:
    """Write the files, upload them, and print how to use the model."""
    config = parse(
        PushConfig,
        arguments,
        "push",
        positional={"model": "run or model folder", "to": "user/name or user/name@v1"},
    )
    prepare_process()
    from tmunet.files import sha256
    from tmunet.hub import push_files, write_shared
    from tmunet.model_files import CARD, HubName, parse_hub_name

    name = parse_hub_name(config.to)
    if not config.license:
        raise UsageError(
            "Expected --license, since nobody may use weights without one: such as --license apache-2.0.",
            code="missing",
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shared = write_shared(Path(config.model), folder, name.repository, config.license, config.intended_use)
        if config.dry_run:
            print((folder / CARD).read_text(encoding="utf-8"))
            for file in shared.files:
                print(f"{file.name}: {file.stat().st_size:,} bytes, SHA-256 {sha256(file)}")
            print(f"Nothing was uploaded to {name}.")
            return 0
        commit = push_files(name, shared, config.private)
    use = HubName(name.repository, name.revision or commit)
    print(
        f"Pushed: {name}, commit {commit}; weights: SHA-256 {shared.weights_sha256}\nUse it: tmunet predict IMAGES -m {use}"
    )
    if not shared.scores:
        print("The card has no scores: `tmunet evaluate` writes them into the run folder; push again then.")
    return 0
