"""Shared machinery of the importers: source files, archives, pairing, mask conversion, and writing the data set folder."""
