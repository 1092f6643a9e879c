"""The networks that TM-UNet is compared with, one file each, from their papers and facts measured on the authors' code."""
