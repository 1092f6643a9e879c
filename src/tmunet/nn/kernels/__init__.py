"""Fast implementations that `tmunet.nn.mlstm.mlstm` chooses from."""
