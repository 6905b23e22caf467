"""What a solar mini-grid is and how it behaves: entities, rules, use cases and the ports they need.

Nothing here does I/O, knows a framework or reads a clock of its own, so every rule can be used from a script or a
notebook after a plain ``pip install nxt-backend``.
"""
