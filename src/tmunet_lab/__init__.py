"""The laboratory: baselines, benchmarks, and the paper's tables and figures. `tmunet` works without it."""
