"""Data checks: find the faults of a data set before training. Imports no models."""
