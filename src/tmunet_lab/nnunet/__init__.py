"""nnU-Net as its authors publish it: its own programs in an environment of their own, on our splits, scored by our protocols."""
