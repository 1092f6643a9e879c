"""What an imported data set says of itself: ``dataset.json`` for programs, and a card for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tmunet import __version__
from tmunet.data.records import CaseRecord
from tmunet.datasets._build.journal import Entry
from tmunet.datasets._build.import_plan import NOT_STATED, Plan
from tmunet.datasets._build.source import Source


def describe(plan: Plan, entries: Sequence[Entry], head: Mapping[str, str]) -> dict[str, Any]:
    """Give the content of ``dataset.json``.

    Args:
        plan: what was imported.
        entries: the files that were made.
        head: the command, and the versions of the importer and of tmunet.
    """
    facts = plan.facts
    groups = {case.name: case.group for case in plan.cases}
    records = {
        entry.name: CaseRecord(
            groups[entry.name], tuple(entry.sources), entry.image_sha256, entry.mask_sha256
        ).to_dict()
        for entry in entries
    }
    content = {
        "name": facts.name,
        "classes": list(facts.classes),
        "ignore_label": facts.ignore_label,
        "modality": facts.modality,
        "source": facts.url,
        "license": facts.license,
        "citation": facts.citation,
        "group_kind": facts.group,
        "importer": head["importer"],
        "tmunet": head["tmunet"],
        "command": head["command"],
        "cases": records,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_card(plan: Plan, source: Source, entries: Sequence[Entry], command: str) -> str:
    """The card as Markdown; it names no folder of this computer but by the command.

    Args:
        plan: what was imported.
        source: where from.
        entries: the files that were made.
        command: that made them.
    """
    facts = plan.facts
    labels = ", ".join(f"{label} = {name}" for label, name in enumerate(facts.classes))
    ignored = "" if facts.ignore_label is None else f", {facts.ignore_label} = ignored"
    notes = "\n".join(f"- {sentence}" for sentence in (*facts.notes, *plan.remarks))
    return f"""# {facts.name}

{_pictures(facts.modality)}

- Cases: {len(entries):,}
- Labels: {labels}{ignored}
- Image size: {_sizes(entries)}
- Groups: {_groups(plan)}
- Official split: {_official(plan)}

## Whose it is

This data set is not part of tmunet; its terms are its owner's.

- License: {facts.license}
- Cite: {facts.citation}
- Distributed at: {facts.url}

## How it was made

- From: `{source.location.resolve().name}`, {_files(entries)}
- By: importer {facts.name} {facts.version} of tmunet {__version__}
- With: `{command}`

`dataset.json` tells for each case its group, the original files, and the SHA-256 of its image and mask.

## Good to know

{notes or "- Nothing was noted."}
"""


def _sizes(entries: Sequence[Entry]) -> str:
    sizes = Counter((entry.width, entry.height) for entry in entries)
    if len(sizes) == 1:
        ((width, height),) = sizes
        return f"{width} x {height} pixels (width x height)"
    widths, heights = zip(*sizes, strict=True)
    span = f"{min(widths)} to {max(widths)} x {min(heights)} to {max(heights)}"
    return f"{span} pixels (width x height), of {len(sizes)} different sizes"


def _pictures(modality: str) -> str:
    """What the images are; where it is not stated, only that they have masks."""
    if modality == NOT_STATED:
        return "Images, with a mask for each."
    return f"{modality[:1].upper()}{modality[1:]}, with a mask for each image."


def _groups(plan: Plan) -> str:
    groups = {case.group for case in plan.cases if case.group is not None}
    if not groups:
        return "not known"
    alone = sum(case.group is None for case in plan.cases)
    kind = plan.facts.group or "group"
    said = kind if kind.startswith("as in ") else f"each a {kind}"
    return f"{len(groups):,}, {said}" + (f"; cases in none: {alone:,}" if alone else "")


def _official(plan: Plan) -> str:
    sizes = [f"{len(names):,} {side}" for side, names in plan.official.items() if names]
    return ", ".join(sizes) + " (`official_split.json`)" if sizes else "none"


def _files(entries: Sequence[Entry]) -> str:
    names = [name for entry in entries for name in entry.sources]
    return f"{len(set(names)):,} files such as `{'`, `'.join(list(entries[0].sources)[:2])}`"
