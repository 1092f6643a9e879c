"""What the images and masks of a data set tell only together."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tmunet.check.findings import Finding, Severity
from tmunet.check.inspect import ImageFacts, Look
from tmunet.data.cases import DatasetInfo
from tmunet.text import pluralize


def about_whole(looks: Sequence[Look], info: DatasetInfo | None) -> Iterator[Finding]:
    """Findings about mixtures of images, and about classes that no mask shows."""
    yield from _mixture(
        looks,
        "mixed-bits",
        lambda image: image.bits,
        "bits",
        lambda _kinds: "warning",
        "Save all at the same depth by the same rule: 8- and 16-bit values are both scaled to 0 to 1 by their full range.",
    )
    yield from _mixture(
        looks,
        "mixed-channels",
        lambda image: image.channels,
        "channels",
        lambda kinds: "note" if set(kinds) <= {1, 3} else "fault",
        "Nothing, if gray and RGB belong together: one is turned into the other. Other channels must be the same in all.",
    )
    if info is not None:
        yield from _never_seen(looks, info)


def _mixture(
    looks: Sequence[Look],
    kind: str,
    of: Callable[[ImageFacts], int],
    unit: str,
    severity: Callable[[Mapping[int, int]], Severity],
    mend: str,
) -> Iterator[Finding]:
    """One finding about all images that are not of the most frequent kind."""
    members: dict[int, list[Look]] = {}
    for look in looks:
        if look.image is not None and look.is_case:
            members.setdefault(of(look.image), []).append(look)
    if len(members) < 2:
        return
    counts = {value: len(members[value]) for value in sorted(members)}
    usual = max(counts, key=lambda value: (counts[value], -value))
    others = [look for value in counts if value != usual for look in members[value]]
    said = ", ".join(f"{value} ({pluralize(count, 'image')})" for value, count in counts.items())
    yield Finding(
        kind,
        severity(counts),
        f"Expected one number of {unit}, but found {said}; the files are those that do not have {usual}.",
        mend,
        tuple(look.image_file.file for look in others if look.image_file is not None),
        tuple(look.name for look in others),
    )


def _never_seen(looks: Sequence[Look], info: DatasetInfo) -> Iterator[Finding]:
    shares = [look.mask.shares for look in looks if look.mask is not None and look.mask.shares]
    if not shares:
        return
    unseen = [label for label, name in enumerate(info.classes) if label and not any(share[name] for share in shares)]
    mend = (
        "Look at the masks: there must be a class to learn besides the background."
        if len(unseen) == len(info.classes) - 1
        else "Take it out of dataset.json (later labels then count down), or look whether its label was lost."
    )
    for label in unseen:
        where = f"none of the {len(shares):,} masks that could be read and have pixels that count"
        message = f"The class {info.classes[label]!r} (label {label}) occurs in {where}."
        yield Finding("unused-class", "warning", message, mend)
