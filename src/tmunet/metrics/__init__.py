"""Scores from arrays and spacing; knows no files."""

from tmunet.metrics.bootstrap import Statistics, Summary, describe
from tmunet.metrics.class_means import is_absent, mean_over_classes, scored_classes
from tmunet.metrics.empty_masks import (
    EMPTY_POLICY,
    EmptyRow,
    Outcome,
    image_diagonal,
    outcome_of,
    policy_as_markdown,
)
from tmunet.metrics.functional import Counts, confusion, dice, f1, iou, precision, recall
from tmunet.metrics.groups import Groups
from tmunet.metrics.lesions import (
    MIN_OBJECT_PIXELS,
    OBJECT_COLUMNS,
    OBJECT_COUNTS,
    ObjectCounts,
    components,
    count_objects,
)
from tmunet.metrics.pair import Mask, Spacing, check_pair, check_spacing
from tmunet.metrics.protocols import (
    DISTANCES,
    METRICS,
    OVERLAPS,
    PROTOCOLS,
    UNSCORED,
    CaseScores,
    PaperProtocol,
    Protocol,
    StrictProtocol,
    get_protocol,
)
from tmunet.metrics.surface_distance import SurfaceDistances, surface_distances

__all__ = [
    "DISTANCES",
    "EMPTY_POLICY",
    "METRICS",
    "MIN_OBJECT_PIXELS",
    "OBJECT_COLUMNS",
    "OBJECT_COUNTS",
    "OVERLAPS",
    "PROTOCOLS",
    "UNSCORED",
    "CaseScores",
    "Counts",
    "EmptyRow",
    "Groups",
    "Mask",
    "ObjectCounts",
    "Outcome",
    "PaperProtocol",
    "Protocol",
    "Spacing",
    "Statistics",
    "StrictProtocol",
    "Summary",
    "SurfaceDistances",
    "check_pair",
    "check_spacing",
    "components",
    "confusion",
    "count_objects",
    "describe",
    "dice",
    "f1",
    "get_protocol",
    "image_diagonal",
    "iou",
    "is_absent",
    "mean_over_classes",
    "outcome_of",
    "policy_as_markdown",
    "precision",
    "recall",
    "scored_classes",
    "surface_distances",
]
