"""Baselines: networks that TM-UNet is compared with, one file each, from their papers and facts measured on the authors' code.

Parameters named `idle_*` or `unused_*` exist in the authors' networks and are never used there; they are kept so that parameter
counts agree with the papers.
"""
