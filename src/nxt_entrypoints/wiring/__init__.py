"""Choosing and building adapters from settings; the container puts the results together."""
