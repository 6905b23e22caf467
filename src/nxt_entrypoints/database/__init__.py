"""Schemas of the two planes: applying migrations, comparing with them, first rows."""
