"""TM-UNet as the paper has it, in plain torch. Read bottom up: gates, mlstm, xlstm, mstm, tmunet."""
