"""The paper: networks in plain torch. They know no files, no data and no training."""
