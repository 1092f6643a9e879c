"""What every page says of its plan and of how its numbers came about."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from tmunet.text import KINDS, pluralize, resampling_unit
from tmunet_lab.experiments.number_format import numbers, seeds
from tmunet_lab.experiments.paper_values import PROTOCOL, SPLIT
from tmunet_lab.experiments.plan import Plan
from tmunet_lab.experiments.table import Block, Table


def settings(values: dict[str, Any]) -> str:
    """Settings in one line, as in YAML.

    >>> settings({"epochs": 20, "preprocess": {"size": 128}})
    '{epochs: 20, preprocess: {size: 128}}'
    """
    return " ".join(str(yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True)).split())


def conditions(plan: Plan) -> list[str]:
    """How the runs of a plan were trained, and in what some differ: plain sentences, settings in backticks."""
    common = f" with `{settings(plan.settings)}`" if plan.settings else ""
    sentences = [f"Recipe `{plan.recipe}`{common}, {seeds(plan.seeds)}."]
    sentences += [f"On {data} also `{settings(own)}`." for data, own in plan.data_settings.items() if own]
    for label, network in plan.networks.items():
        options = f" with options `{settings(network.model_args)}`" if network.model_args else ""
        own = f"; trained with `{settings(network.settings)}` in place of the plan's" if network.settings else ""
        sentences.append(f"{label}: `{network.model}`{options}{own}.")
    return sentences


def drawn_over(table: Table) -> str:
    """Over what intervals are: images, or also their groups if any block knows them."""
    known = any(block.groups is not None for block in table.blocks)
    return f"images, or over groups ({KINDS}) where images are known to belong together" if known else "images"


def how_to_read(table: Table, best: str, second: str) -> str:
    """What a cell holds, and how the best and the second value of a column are marked."""
    over = drawn_over(table)
    same, equal, of_group = "images", "images", ""
    if over != same:
        same, equal, of_group = "the same", "ones", ", and in the test a group's the mean over its images"
    against = (
        f"p: Wilcoxon's signed-rank test against {table.reference} over {same}, two-sided, equal {equal} by Pratt, with Holm's "
        "correction over the networks of the column. "
        if table.reference
        else "No paired tests: the plan has no TM-UNet to test against. "
    )
    return (
        f"Ours: mean of the seeds ± sample SD over seeds; then the 95 % bootstrap interval over {over}. For interval and test "
        f"each image's value is its mean over the seeds that have it{of_group}; a test takes the images that both networks have. "
        f"{against}Dice, IoU and F1 in percent, HD in pixels. "
        f"The best value of a column is {best}, the second {second}, where every network has been scored. The paper's figures "
        f"belong to the split {SPLIT} and the protocol {PROTOCOL}, and stand nowhere else. Where interval and p are "
        "missing beside others, the figure is one number for the set."
    )


def block_title(block: Block) -> str:
    """The name of a block."""
    return f"{block.data}, split {block.split}"


def block_notes(table: Table, block: Block) -> list[str]:
    """What must be known of a block: how many images, for what it stands in, and what is missing and why."""
    notes = []
    if block.results:
        first = block.results[0]
        images = {part["n"] for part in first.scores["classes"].values()}
        notes.append(
            f"{numbers(sorted(images))} test image{'' if images == {1} else 's'}, protocol {block.protocol}, "
            f"split SHA-256 {first.split_sha256[:12]}."
        )
        if block.groups is not None:
            of = resampling_unit(max(images), block.groups)
            notes.append(f"95 % bootstrap intervals{' and tests' if table.reference else ''} over {of}.")
        if ignored := max(one.ignored for one in block.results):
            notes.append(f"{pluralize(ignored, 'more test image')} without a pixel that counts: in no number here.")
        if len(classes := list(first.scores["classes"])) > 1:
            counts = "; what is left out of HD counts an image once for each" * block.left_out
            notes.append(f"Values are means over the classes {', '.join(classes)}{counts}.")
        notes += _absent_notes(block, classes)
        seen = first.scores["facts"].get("images_in_train", 0)
        if seen:
            notes.append(f"{seen} of them the networks were trained on: the split has copies of them in train.")
    if block.data in table.plan.reasons():
        notes.append(f"{table.plan.reasons()[block.data]}; the paper's figures are not of these images.")
    return notes + missing_notes(block)


def _absent_notes(block: Block, classes: Sequence[str]) -> Iterator[str]:
    """Which classes are in no reference and no prediction, and in how many of the runs."""
    for name in classes:
        without = sum(name not in one.classes for one in block.results)
        if without:
            runs = f"{without} of {len(block.results)} runs"
            yield f"{name} is not in these images: no reference shows it, and no prediction of {runs}, whose means leave it out."


def missing_notes(block: Block) -> list[str]:
    """What is missing from a block and why, each reason once."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for row in block.rows:
        for reason, missed in row.reasons.items():
            by_reason.setdefault(reason, {}).setdefault(seeds(missed), []).append(row.network)
    notes = []
    for reason, of_seeds in by_reason.items():
        which = "; ".join(f"{', '.join(networks)} ({missed})" for missed, networks in of_seeds.items())
        every = len(by_reason) == 1 and not block.results
        notes.append(f"Empty{'' if every else f', {which}'}: {reason.rstrip('.')}.")
    return notes
