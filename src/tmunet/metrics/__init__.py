"""Scores from arrays and spacing; knows no files."""

from tmunet.metrics.empty import (
    EMPTY_POLICY,
    EmptyRow,
    Outcome,
    image_diagonal,
    outcome_of,
    policy_as_markdown,
)
from tmunet.metrics.groups import Groups
from tmunet.metrics.objects import OBJECT_COUNTS, ObjectCounts, count_objects
from tmunet.metrics.overlap import Counts, confusion, dice, f1, iou, precision, recall
from tmunet.metrics.pair import Mask, Spacing, check_pair, check_spacing
from tmunet.metrics.protocol import (
    DISTANCES,
    METRICS,
    OVERLAPS,
    PROTOCOLS,
    CaseScores,
    PaperProtocol,
    Protocol,
    StrictProtocol,
    get_protocol,
)
from tmunet.metrics.summary import Statistics, Summary, describe
from tmunet.metrics.surface import SurfaceDistances, surface_distances

__all__ = [
    "DISTANCES",
    "EMPTY_POLICY",
    "METRICS",
    "OBJECT_COUNTS",
    "OVERLAPS",
    "PROTOCOLS",
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
    "confusion",
    "count_objects",
    "describe",
    "dice",
    "f1",
    "get_protocol",
    "image_diagonal",
    "iou",
    "outcome_of",
    "policy_as_markdown",
    "precision",
    "recall",
    "surface_distances",
]
