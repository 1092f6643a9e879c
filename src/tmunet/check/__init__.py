"""Find what is wrong with a data set before anything is computed on it; knows no models."""
