"""TM-UNet as in the paper (Eq. 1-8), in plain torch. Read bottom up: gates, mlstm, xlstm, mstm, tmunet."""
