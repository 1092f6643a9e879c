"""Label values of masks: 0 is the background, 1..K-1 the other classes, and 255 may mark pixels to ignore."""

IGNORE_LABEL = 255
