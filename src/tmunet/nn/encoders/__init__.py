"""Encoders whose weights may be learned elsewhere: imports torch only; `tmunet.pretrained` loads the weights."""
