"""Objects merged across blocks are those of the whole image."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from tmunet.formats.outlines import Outline, number_objects, trace_outlines
from tmunet.prediction.slide_objects import find_objects


@dataclass
class Cut:
    """A mask in blocks."""

    mask: np.ndarray
    block: int

    @property
    def size(self) -> tuple[int, int]:
        return self.mask.shape[0], self.mask.shape[1]

    def labels(self, row: int, column: int) -> np.ndarray | None:
        part = self.mask[row * self.block : (row + 1) * self.block, column * self.block : (column + 1) * self.block]
        return part if part.any() else None


def rings(outline: Outline) -> list[list[list[list[int]]]]:
    return sorted([ring.tolist() for ring in polygon] for polygon in outline.polygons)


def check(mask: np.ndarray, block: int) -> None:
    objects, classes = number_objects(mask, 3)
    expected = {}
    for outline, label in zip(trace_outlines(objects), classes, strict=True):
        y, x = ndimage.center_of_mass(objects == outline.label)
        expected[str(rings(outline))] = (label, outline.area, round(x + 0.5, 6), round(y + 0.5, 6))
    found = list(find_objects(Cut(mask, block), 3))
    assert [one.outline.label for one in found] == list(range(1, len(classes) + 1))
    seen = {
        str(rings(one.outline)): (one.class_label, one.area, round(one.centroid[0], 6), round(one.centroid[1], 6))
        for one in found
    }
    assert seen == expected


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2)),
    st.integers(2, 6),
)
def test_blocks_change_no_object(mask: np.ndarray, block: int) -> None:
    check(mask, block)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.65, 0.9])
def test_large_objects_with_holes_run_through_many_blocks(share: float) -> None:
    check((np.random.default_rng(1).random((64, 80)) < share).astype(np.uint8), 16)


def test_an_empty_slide_has_no_object() -> None:
    assert list(find_objects(Cut(np.zeros((9, 9), np.uint8), 4), 2)) == []
