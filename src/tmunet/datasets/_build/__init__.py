"""What all importers share: sources, archives, pairing, writing."""
