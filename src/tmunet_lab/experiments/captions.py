"""Captions of tables and figures: training settings, statistics, notes on each block."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from tmunet.text import KINDS, pluralize, resampling_unit
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock
from tmunet_lab.experiments.number_format import format_seeds, join_numbers
from tmunet_lab.experiments.paper_values import PROTOCOL, SPLIT
from tmunet_lab.experiments.plan import ExperimentPlan


def format_settings(values: dict[str, Any]) -> str:
    """Format settings as YAML in one line.

    >>> format_settings({"epochs": 20, "preprocess": {"size": 128}})
    '{epochs: 20, preprocess: {size: 128}}'
    """
    dumped = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True, width=2**16)
    return " ".join(str(dumped).split())


def training_conditions(plan: ExperimentPlan) -> list[str]:
    """Describe how the runs of a plan are trained, and which settings differ: plain sentences, settings in backticks."""
    common = f" with `{format_settings(plan.settings)}`" if plan.settings else ""
    sentences = [f"Recipe `{plan.recipe}`{common}, {format_seeds(plan.seeds)}."]
    sentences += [f"On {data} also `{format_settings(own)}`." for data, own in plan.data_settings.items() if own]
    for label, network in plan.networks.items():
        model_args = f" with `model_args: {format_settings(network.model_args)}`" if network.model_args else ""
        own = f"; trained with `{format_settings(network.settings)}` in place of the plan's" if network.settings else ""
        sentences.append(f"{label}: `{network.model}`{model_args}{own}.")
    return sentences


def interval_units(table: ResultTable) -> str:
    """Name what bootstrap intervals resample: images, or groups if any block knows them."""
    known = any(block.groups is not None for block in table.blocks)
    return f"groups of images ({KINDS}) where they are known, else images" if known else "images"


def how_to_read(table: ResultTable, best: str, second: str) -> list[str]:
    """Explain the cells of a table, and how the best and the second value of a column are marked: plain sentences."""
    units = interval_units(table)
    tested = (
        "images that both networks have" if units == "images" else "the same units, of images that both networks have"
    )
    test = (
        f"p: Wilcoxon signed-rank test against {table.reference} over {tested}; two-sided, zeros by Pratt, Holm's correction "
        "over the networks of the column."
        if table.reference
        else "No paired tests: the plan has no TM-UNet to test against."
    )
    return [
        f"Ours: mean over seeds ± sample SD over seeds, then the 95 % bootstrap interval over {units}. For interval and test "
        "each image is averaged over its seeds, each group over its images.",
        test,
        f"Dice, IoU and F1 in percent, HD in pixels. The best value of a column is {best}, the second {second}, once every "
        "network has scores.",
        f"The paper's figures are those of the split {SPLIT} and the protocol {PROTOCOL}.",
        "A figure without interval and p beside others is one number for the test set, not a mean over images.",
    ]


def block_title(block: TableBlock) -> str:
    """Title of a block."""
    return f"{block.data}, split {block.split}"


def block_notes(table: ResultTable, block: TableBlock) -> list[str]:
    """Notes on a block: number of images, split, classes, substitutes, missing runs with reasons."""
    notes = []
    if block.results:
        first = block.results[0]
        images = {summary["n"] for summary in first.scores["classes"].values()}
        notes.append(
            f"{join_numbers(sorted(images))} test image{'' if images == {1} else 's'}, protocol {block.protocol}, "
            f"split SHA-256 {first.split_sha256[:12]}."
        )
        if block.groups is not None:
            units = resampling_unit(max(images), block.groups)
            notes.append(f"95 % bootstrap intervals{' and tests' if table.reference else ''} over {units}.")
        if ignored := max(one.ignored for one in block.results):
            notes.append(f"Not scored: {pluralize(ignored, 'more test image')} whose pixels are all ignored.")
        if len(classes := list(first.scores["classes"])) > 1:
            counts = "; images left out of HD are counted once for each class" * block.left_out
            notes.append(f"Values are means over the classes {', '.join(classes)}{counts}.")
        notes += _absent_classes(block, classes)
        trained_on = first.scores["facts"].get("images_in_train", 0)
        if trained_on:
            notes.append(f"Data leakage: {pluralize(trained_on, 'test image')} with an exact duplicate in train.")
    if block.data in table.plan.substitutes:
        notes.append(
            f"{block.data} substitutes {table.plan.substitutes[block.data]}; the paper's figures are not of these images."
        )
    return notes + missing_notes(block)


def _absent_classes(block: TableBlock, classes: Sequence[str]) -> Iterator[str]:
    for name in classes:
        without = sum(name not in one.classes for one in block.results)
        if without:
            yield (
                f"Class {name} is absent from the references, and from the predictions of {without} of "
                f"{len(block.results)} runs, whose means leave it out."
            )


def missing_notes(block: TableBlock) -> list[str]:
    """List missing runs of a block by reason."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for row in block.rows:
        for reason, missed in row.reasons.items():
            by_reason.setdefault(reason, {}).setdefault(format_seeds(missed), []).append(row.network)
    notes = []
    for reason, by_seeds in by_reason.items():
        which = "; ".join(f"{', '.join(networks)} ({missed})" for missed, networks in by_seeds.items())
        all_missing = len(by_reason) == 1 and not block.results
        notes.append(f"Empty{'' if all_missing else f', {which}'}: {reason.rstrip('.')}.")
    return notes
