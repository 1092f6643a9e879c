"""Faster forms of networks for inference; nothing in `tmunet.nn` imports them."""
