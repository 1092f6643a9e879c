"""Results as runs leave them, with scores that are made up but summarized by the real protocols."""

import copy
import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from tmunet.files import write_json, write_text
from tmunet.metrics import CaseScores, ObjectCounts, Presence, get_protocol
from tmunet_lab.experiments.costs import NetworkCost
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork
from tmunet_lab.experiments.results import RunResult

NETWORKS = {
    "U-Net": PlannedNetwork("unet", row="U-Net"),
    "TM-UNet (released code)": PlannedNetwork("tmunet_released_b", row="TM-UNet"),
    "TM-UNet": PlannedNetwork("tmunet_b", row="TM-UNet"),
}
COSTS = {
    "U-Net": NetworkCost(31_000_000, 218_000_000_000, 124_480_000_000, 3.2, "Z80, 1 thread"),
    "TM-UNet (released code)": NetworkCost(4_100_000, 17_400_000_000, 6_550_000_000, 9.1, "Z80, 1 thread"),
    "TM-UNet": NetworkCost(3_971_521, 6_447_000_000, 5_100_000_000, 8.0, "Z80, 1 thread"),
}


def plan(**changes: Any) -> ExperimentPlan:
    known: dict[str, Any] = {
        "title": "Table 1, small",
        "networks": dict(NETWORKS),
        "data": ["CVC-ClinicDB", "MoNuSeg"],
        "splits": ["random", "grouped"],
        "seeds": [0, 1],
        "settings": {"epochs": 2},
    }
    return ExperimentPlan(**{**known, **changes})


def scores_of(values: list[float | None]) -> list[CaseScores]:
    """Scores with a given Dice each; None is an image whose object was missed."""
    return [
        CaseScores(0, 0, 0, 0, 0, math.nan, math.nan, Presence.MISSED, ObjectCounts(1, 1, 0))
        if dice is None
        else CaseScores(
            dice,
            dice / (2 - dice),
            dice,
            dice,
            dice,
            40 * (1 - dice),
            30 * (1 - dice),
            Presence.BOTH,
            ObjectCounts(1, 0, 0),
        )
        for dice in values
    ]


@functools.cache
def _summary(protocol: str, scores: tuple[CaseScores, ...], groups: tuple[str | None, ...] | None) -> dict[str, Any]:
    """Bootstraps take most of the time of these tests."""
    summary: dict[str, Any] = get_protocol(protocol).summarize(scores, groups=groups).to_dict()
    return summary


def result(
    folder: Path,
    network: str,
    values: list[float | None],
    *,
    data: str = "CVC-ClinicDB",
    split: str = "random",
    seed: int = 0,
    protocol: str = "paper",
    model: str = "unet",
    split_sha256: str | None = None,
    groups: list[str | None] | None = None,
    **facts: Any,
) -> RunResult:
    """A result with these Dice values, groups of the images if any, and the files of its run that pages link to."""
    if protocol == "strict":
        scores = [
            case if case.outcome is Presence.BOTH else CaseScores(*[0.0] * 5, 50, 50, case.outcome, case.objects)
            for case in scores_of(values)
        ]
    else:
        scores = scores_of(values)
    run = folder / "runs" / f"{data}-{split}-{network}-s{seed}"
    known = {
        "weights_sha256": hashlib.sha256(str(run.name).encode()).hexdigest(),
        "split_sha256": split_sha256 or hashlib.sha256(f"{data} {split}".encode()).hexdigest(),
        "trained": {"epochs": 2, "kept_epoch": 1},
    }
    content = {
        "protocol": protocol,
        "facts": {**known, **facts},
        "classes": {
            "foreground": copy.deepcopy(_summary(protocol, tuple(scores), None if groups is None else tuple(groups)))
        },
        "per_image": [
            {
                "case": f"frame {index}",
                **({} if groups is None else {"group": groups[index]}),  # as evaluations were before groups were drawn
                "class": "foreground",
                **case.to_dict(),
            }
            for index, case in enumerate(scores)
        ],
    }
    write_text(run / "evaluation" / protocol / "per_image.csv", "case\n")
    leaks = {
        "images": len(values),
        "same_group": len(values) * (split == "random"),
        "same_scene": 3 * (split == "random"),
    }
    write_json(run / "provenance.json", {"leaks": {"test in train": leaks}})
    return RunResult(network, model, data, split, seed, run, content)


def all_results(folder: Path, of: ExperimentPlan, images: int = 12) -> list[RunResult]:
    """A result for every run and protocol of a plan; later networks and random splits are better, one image is missed."""
    found = []
    for protocol in of.protocols:
        for d, data in enumerate(of.data):
            for split in of.splits:
                for n, (label, network) in enumerate(of.networks.items()):
                    for seed in of.seeds:
                        random = np.random.default_rng((d, n, seed, len(split)))
                        base = 0.6 + 0.06 * n + 0.1 * (split == "random")
                        values: list[float | None] = [float(value) for value in base + 0.1 * random.random(images)]
                        values[0] = None if n == 0 else values[0]
                        found.append(
                            result(
                                folder,
                                label,
                                values,
                                data=data,
                                split=split,
                                seed=seed,
                                protocol=protocol,
                                model=network.model,
                            )
                        )
    return found
