"""Grids, their customers, connections, gateways and tariffs."""
