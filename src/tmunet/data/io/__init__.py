"""Read image and mask files."""
