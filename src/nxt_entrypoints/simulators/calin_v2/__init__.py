"""CALIN's service of the second generation."""
