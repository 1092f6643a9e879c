"""Find tissue on a slide: where a small overview of it is not glass."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

CHROMA, DARKEST_GLASS = 12, 190  # of 255; glass is bright and gray, and faint stain is colored before it is dark
_MARGIN = 2  # pixels of the overview around tissue that count as tissue


def find_tissue(overview: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels of an overview (H, W, 3), RGB, that are tissue, or are close to it.

    A pixel is glass if its channels differ by at most `CHROMA` and none is below `DARKEST_GLASS`; single pixels are noise. Pen
    marks and dark edges count as tissue: predicting them costs time, and missing tissue costs more.
    """
    blurred = ndimage.uniform_filter(overview.astype(np.float32), (3, 3, 1), mode="nearest")
    colored = blurred.max(axis=2) - blurred.min(axis=2) > CHROMA
    dark = blurred.min(axis=2) < DARKEST_GLASS
    return np.asarray(ndimage.binary_dilation(colored | dark, np.ones((3, 3)), iterations=_MARGIN), bool)
