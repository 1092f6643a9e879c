"""Inference: from an image to its mask, backends and export. Importing this package loads nothing else."""
