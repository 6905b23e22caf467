"""Declarations of all environment variables, as data."""
