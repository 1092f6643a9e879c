"""Networks optimized for inference: imports `tmunet.nn`, and nothing there imports it."""
