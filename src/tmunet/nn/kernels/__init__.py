"""Fast implementations: the mLSTM that `tmunet.nn.mlstm.mlstm` chooses, and copies and gradients in a fast memory layout."""
