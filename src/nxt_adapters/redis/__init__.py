"""Valkey: what may be lost, and is only asked for again."""
