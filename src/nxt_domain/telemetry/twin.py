"""The digital twin of a grid: is it energised? (section 13)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nxt_domain.telemetry.model import GatewayGrid, Phase, PowerReading

_SINGLE_PHASE = (Phase.L1,)
_THREE_PHASES = (Phase.L1, Phase.L2, Phase.L3)


@attrs.frozen(kw_only=True)
class GridTwin:
    """A grid with the last known power of its phases.

    Attributes:
        grid: Its settings, and whether it is held to be energised.
        power_w: Known powers by phase, W; an absent phase is unknown.
    """

    grid: GatewayGrid
    power_w: Mapping[Phase, float] = attrs.field(factory=dict)

    def observe(self, reading: PowerReading) -> GridTwin:
        """Take over the power of one phase; an unknown value makes the phase unknown [TEL-155]."""
        others = {phase: power for phase, power in self.power_w.items() if phase is not reading.phase}
        if reading.power_w is None:
            return attrs.evolve(self, power_w=others)
        return attrs.evolve(self, power_w={**others, reading.phase: reading.power_w})

    def is_energised(self) -> bool | None:
        """Decide by total power and threshold; None while a phase that counts is unknown [TEL-156]."""
        phases = _THREE_PHASES if self.grid.is_three_phase_supported else _SINGLE_PHASE
        if any(phase not in self.power_w for phase in phases):
            return None
        # Watts are summed before they become kilowatts, so that 400 + 200 + 100 W reaches 0.7 kW exactly.
        return sum(self.power_w[phase] for phase in phases) / 1000 >= self.grid.threshold_kw

    def change(self) -> bool | None:
        """Return the new state where it differs from the held one, else None [TEL-157]."""
        decided = self.is_energised()
        return None if decided is None or decided == self.grid.is_hps_on else decided

    def confirm(self, *, is_hps_on: bool) -> GridTwin:
        """Hold a state that was stored."""
        return attrs.evolve(self, grid=attrs.evolve(self.grid, is_hps_on=is_hps_on))

    def reconfigure(self, grid: GatewayGrid) -> GridTwin:
        """Take over settings and state as stored, keeping the powers [TEL-152]."""
        return attrs.evolve(self, grid=grid)
