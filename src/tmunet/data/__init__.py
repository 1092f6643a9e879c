"""Reading, checking, splitting and loading images with masks; knows no models."""
