"""nnU-Net itself, in a separate Python environment, on our splits and under our protocols."""
