"""The ``nxt`` command."""
