"""Telling people: text messages today, other channels beside them later."""
