"""What an importer says: which files make which case. Building the data set folder is the same for all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.datasets._build.source import Source

Labels = NDArray[np.uint8]
Draw = Callable[[tuple[int, int]], Labels]
"""Makes the mask of a case: given (H, W) of its image, returns labels (H, W) from 0 to K - 1, and 255 to ignore."""

NOT_STATED = "not stated"  # of facts that nobody gave


@dataclass(frozen=True)
class SetFacts:
    """What is known of a data set; it goes into ``dataset.json`` and the data card.

    Attributes:
        name: as in ``tmunet import NAME`` and in titles.
        version: of the importer; it counts up when the same source would give other masks, names or groups.
        classes: names; the index is the label.
        modality: how the images were taken.
        url: where the original is distributed.
        license: the terms, as the source states them.
        citation: the paper to cite.
        group: what a group of cases is here, such as "video sequence"; None if the source does not tell.
        layout: the files that the importer expects, for the message when they are not there.
        notes: sentences for the data card: traps of this set and how the importer deals with them.
        ignore_label: 255 if `PlannedCase.draw` marks pixels to ignore with it.
    """

    name: str
    version: int
    classes: tuple[str, ...]
    modality: str
    url: str
    license: str
    citation: str
    layout: str
    group: str | None = None
    notes: tuple[str, ...] = ()
    ignore_label: int | None = None


@dataclass(frozen=True)
class PlannedCase:
    """One case to be.

    Attributes:
        name: the stem of its files in ``images/`` and ``masks/``.
        image: key of the image file in `Source.files`.
        masks: keys of the files from which the mask is made (mask images, an XML file); none if the image is known to
            have nothing on it.
        draw: makes the mask from them; may raise `InputError`.
        group: video sequence, patient or slide.
    """

    name: str
    image: PurePosixPath
    masks: tuple[PurePosixPath, ...]
    draw: Draw
    group: str | None = None


@dataclass(frozen=True)
class Plan:
    """All cases of a source.

    Attributes:
        facts: what is known of the set.
        cases: in natural order of their names.
        official: the split that the source comes with: case names by "train", "val", "test"; empty if there is none.
        remarks: sentences for the data card and the terminal about this very source, such as files that are not used.
    """

    facts: SetFacts
    cases: Sequence[PlannedCase]
    official: Mapping[Literal["train", "val", "test"], Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


PlanFunction = Callable[[Source], Plan]
"""An importer: looks at the names of files (and small tables), decodes no image, and raises a `DataError` with all
faults of the layout: files that are missing, without a partner, or not understood."""
