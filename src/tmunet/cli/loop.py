"""`tmunet loop`: correct the least certain masks, train on with them, keep the better model, and again (active learning)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.active_learning.loop_config import LoopConfig
from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.extras import require
from tmunet.text import pluralize, table

if TYPE_CHECKING:
    from tmunet.active_learning.run_loop import LoopState


def run(arguments: Sequence[str]) -> int:
    """Go on to the next masks that the user corrects, and list the images that could not be predicted."""
    config = parse(LoopConfig, arguments, "loop", words={"images": "files, folders or patterns such as 'scans/*.png'"})
    prepare_process()
    require("pytorch_lightning", extra="train")
    from tmunet.active_learning.run_loop import run_loop

    state = run_loop(config)
    print(describe(state, Path(config.out) / "corrected"))
    for fault in state.faults:
        print(f"  - {fault}", file=sys.stderr)
    return 3 if state.faults else 0


def describe(state: "LoopState", corrected: Path) -> str:
    """The rounds as a table, the model, and what to do next."""
    rows = [
        (
            *(str(row[name]) for name in ("round", "corrected", "val")),
            *(f"{row[name]:.4f}" for name in ("val_dice_before", "val_dice_after")),
            str(row["kept"]),
        )
        for row in state.decisions
    ]
    parts = [table(rows, ("round", "corrected", "to validate", "Dice before", "after", "kept"))] if rows else []
    parts.append(f"Model: {state.model}")
    here = state.round
    if state.waiting:
        parts.append(
            f"{pluralize(state.waiting, 'corrected mask')} in {corrected} not trained on yet: give the same command again."
        )
    elif not state.left:
        parts.append("All images are corrected.")
    else:
        parts.append(
            f"Correct next: {here.to_correct / 'masks'}, first of {pluralize(state.left, 'image')}, least certain first: "
            f"{here.queue}\nSave corrected masks under the same names in {corrected}, then give the same command again."
        )
    return "\n".join(parts)
