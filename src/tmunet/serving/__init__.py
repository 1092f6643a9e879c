"""Serve models over HTTP: `tmunet serve`. Importing this package loads nothing else."""
