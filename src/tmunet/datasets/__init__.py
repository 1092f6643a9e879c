"""Importers: one file for each named data set, from its original distribution to a checked data set folder."""
