"""Every metric refuses what is not a pair of masks, and says what to do about it."""

import math

import numpy as np
import pytest

from tmunet.errors import InputError
from tmunet.metrics import PROTOCOLS, check_spacing, confusion, image_diagonal, outcome_of, surface_distances

MASK = np.ones((4, 5), dtype=bool)

ENTRIES = [confusion, outcome_of, surface_distances, *(protocol.score for protocol in PROTOCOLS.values())]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("reference", "prediction", "message"),
    [
        (MASK, MASK.T, r"the same shape, but got \(4, 5\) and \(5, 4\)\. Bring the prediction back"),
        (
            MASK,
            MASK[None],
            r"`prediction` to have shape \(H, W\) .* but got shape \(1, 4, 5\)\. Score one class",
        ),
        (
            MASK[:0],
            MASK[:0],
            r"`reference` to have shape \(H, W\) with at least one pixel, but got shape \(0, 5\)",
        ),
        (MASK.astype(np.uint8), MASK, r"`reference` to be boolean, but got uint8\. .*labels == 1"),
        (MASK, MASK.astype(float), r"`prediction` to be boolean, but got float64\. .*probability > 0\.5"),
        (MASK.tolist(), MASK, r"`reference` to be a NumPy array, but got list\. .*numpy\.asarray"),
    ],
)
def test_wrong_masks_are_refused_everywhere(entry, reference, prediction, message):
    with pytest.raises(InputError, match=message):
        entry(reference, prediction)


@pytest.mark.parametrize("spacing", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf), (1.0,), (1, 1, 1)])
def test_wrong_spacing_is_refused_everywhere(spacing):
    message = r"`spacing` to be two finite numbers above 0, \(row, column\), but got \("
    with pytest.raises(InputError, match=message):
        check_spacing(spacing)
    with pytest.raises(InputError, match=message):
        image_diagonal((4, 5), spacing)
    with pytest.raises(InputError, match=message):
        surface_distances(MASK, MASK, spacing)
    for protocol in PROTOCOLS.values():
        for prediction in (MASK, ~MASK):
            with pytest.raises(InputError, match=message):
                protocol.score(MASK, prediction, spacing)
