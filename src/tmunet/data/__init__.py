"""Data set folders of images and masks: read, check, split, load. Imports no models."""
