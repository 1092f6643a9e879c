"""Names of the formats of predicted masks; `tmunet.prediction.mask_writers` has their writers."""

from typing import Literal

MaskFormat = Literal["png", "geojson", "imagej"]
