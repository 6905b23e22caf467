"""CALIN's service of the first generation."""
