"""The network of the paper, in plain torch.

| equations | file |
|---|---|
| Eq. 1-3, the mLSTM and its gates | `mlstm.py`, `gates.py` |
| Eq. 4-6, the bidirectional xLSTM layer | `xlstm.py` |
| Eq. 7-8, the multi-scale token-memory block | `mstm.py` |
| section 2.4, Fig. 2, the network and its sizes | `tmunet.py` |
| Eq. 9, the loss | `tmunet.losses` |

`tmunet_lite.py` is ours: token memory behind an encoder of `encoders/`. `kernels/` has the fast mLSTM, `inference/` faster forms
of whole networks; no file of the paper imports `inference/`.
"""
