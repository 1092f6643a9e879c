"""Fast forms of the mLSTM and of block-diagonal projections, behind one dispatch."""
