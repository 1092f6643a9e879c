"""Importers: one file for each public data set, from its original distribution to a data set folder."""
