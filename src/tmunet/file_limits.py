"""Limits of files from outside: what is larger is damaged or hostile. See docs/reference/file-limits.md."""

MAX_PIXELS = 400_000_000
"""Most pixels of one image, counted as of four channels; checked against its header before decoding."""

MAX_DICOM_BYTES = 4 * 2**30
"""Largest DICOM file."""
MAX_INFLATED_BYTES = 256 * 2**20
"""Most bytes that a deflated DICOM file expands to."""
MAX_FRAMES = 100_000
"""Most frames of a DICOM file."""

MAX_GEOJSON_BYTES = 2**30
"""Most bytes that a compressed GeoJSON file expands to."""
MAX_YAML_VALUES = 100_000
"""Most values of a YAML file, with those that its aliases repeat."""
PROBE_SECONDS = 120
"""Longest time that ffprobe may take for one video."""
