"""Train, val and test: make splits, find near-duplicates, report data leakage."""
