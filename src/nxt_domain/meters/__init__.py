"""Meters: what they should be, what they are, and the interactions that bring the two together."""
