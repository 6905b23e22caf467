"""How long to wait before a child is started again."""

from __future__ import annotations

from attrs import define

FIRST_S = 1.0
LONGEST_S = 30.0
STABLE_AFTER_S = 60.0


@define
class Backoff:
    """Doubles from ``first_s`` to ``longest_s``; a child that stayed up ``stable_after_s`` starts over."""

    first_s: float = FIRST_S
    longest_s: float = LONGEST_S
    stable_after_s: float = STABLE_AFTER_S
    _next_s: float = 0.0

    def after(self, uptime_s: float) -> float:
        """Seconds to wait after a child that ran ``uptime_s`` seconds has ended."""
        if uptime_s >= self.stable_after_s or self._next_s == 0.0:
            self._next_s = self.first_s
        wait_s = self._next_s
        self._next_s = min(self._next_s * 2, self.longest_s)
        return wait_s
