"""From an image to its mask. Importing this package loads nothing else."""
