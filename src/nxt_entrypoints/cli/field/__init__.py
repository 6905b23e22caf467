"""Tools for the field and the test bench: they need no configuration, no store and no network."""
