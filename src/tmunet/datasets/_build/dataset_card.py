"""Write the documentation of an imported data set: ``dataset.json`` and the dataset card (``README.md``)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tmunet import __version__
from tmunet.data.records import CaseRecord
from tmunet.datasets._build.conversion import WrittenCase
from tmunet.datasets._build.import_plan import NOT_STATED, ImportPlan
from tmunet.datasets._build.source import SourceFiles


def describe(
    plan: ImportPlan, source: SourceFiles, written: Sequence[WrittenCase], command: str
) -> dict[str, Any]:
    """Give the content of ``dataset.json``."""
    facts = plan.facts
    spacings = {case.name: list(source.spacing[case.image]) for case in plan.cases if case.image in source.spacing}
    groups = {case.name: case.group for case in plan.cases}
    spacings |= {case.name: list(case.spacing) for case in written if case.spacing is not None}
    content = {
        "name": facts.name,
        "classes": list(facts.classes),
        "ignore_label": facts.ignore_label,
        "modality": facts.modality,
        "source": facts.url,
        "license": facts.license,
        "citation": facts.citation,
        "group_kind": facts.group,
        "importer": f"{facts.name} {facts.version}",
        "tmunet": __version__,
        "command": command,
        "cases": {
            case.name: CaseRecord(
                groups[case.name], case.sources, case.image_sha256, case.mask_sha256
            ).to_dict()
            for case in written
        },
        "spacing_mm": spacings or None,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_card(plan: ImportPlan, source: SourceFiles, written: Sequence[WrittenCase], command: str) -> str:
    """Write the dataset card as Markdown; only `command` may name folders of this computer."""
    facts = plan.facts
    labels = ", ".join(f"{label} = {name}" for label, name in enumerate(facts.classes))
    ignored = "" if facts.ignore_label is None else f", {facts.ignore_label} = ignored"
    notes = "\n".join(f"- {sentence}" for sentence in (*facts.notes, *plan.remarks))
    images = "Images" if facts.modality == NOT_STATED else f"{facts.modality[:1].upper()}{facts.modality[1:]}"
    return f"""# {facts.name}

{images}, with a mask for each image.

- Cases: {len(written):,}
- Labels: {labels}{ignored}
- Image size: {_sizes(written)}
- Groups: {_groups(plan)}
- Official split: {_official(plan)}

## License and citation

This data set is not part of tmunet; its terms are its owner's.

- License: {facts.license}
- Cite: {facts.citation}
- Distributed at: {facts.url}

## Provenance

- From: `{source.location.resolve().name}`, {_files(written)}
- By: importer {facts.name} {facts.version} of tmunet {__version__}
- With: `{command}`

`dataset.json` holds for each case its group, the original files, and the SHA-256 of its image and mask.

## Notes

{notes or "- Nothing was noted."}
"""


def _sizes(written: Sequence[WrittenCase]) -> str:
    sizes = Counter((case.width, case.height) for case in written)
    if len(sizes) == 1:
        ((width, height),) = sizes
        return f"{width} x {height} pixels (width x height)"
    widths, heights = zip(*sizes, strict=True)
    span = f"{min(widths)} to {max(widths)} x {min(heights)} to {max(heights)}"
    return f"{span} pixels (width x height), of {len(sizes)} different sizes"


def _groups(plan: ImportPlan) -> str:
    groups = {case.group for case in plan.cases if case.group is not None}
    if not groups:
        return "not known"
    ungrouped = sum(case.group is None for case in plan.cases)
    kind = plan.facts.group or "group"
    described = kind if kind.startswith("as in ") else f"each a {kind}"
    return f"{len(groups):,}, {described}" + (f"; cases in none: {ungrouped:,}" if ungrouped else "")


def _official(plan: ImportPlan) -> str:
    sizes = [f"{len(names):,} {subset}" for subset, names in plan.official.items() if names]
    return ", ".join(sizes) + " (`official_split.json`)" if sizes else "none"


def _files(written: Sequence[WrittenCase]) -> str:
    names = [name for case in written for name in case.sources]
    return f"{len(set(names)):,} files such as `{'`, `'.join(written[0].sources[:2])}`"
