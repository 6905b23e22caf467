"""A solar plant: panels follow the sun, load follows the village, the battery takes the difference."""

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import attrs

from nxt_entrypoints.simulators.chirpstack import profile
from nxt_entrypoints.simulators.fleet import PlantDevice, Village

_PHASE_SHARES = {1: (1.0,), 3: (0.42, 0.33, 0.25)}
_SUNRISE_H, _SUNSET_H = 6.25, 18.5
_EMPTY_PERCENT, _FULL_PERCENT = 20.0, 100.0
_EMPTY_V, _FULL_V = 46.5, 54.4
_LONGEST_STEP = timedelta(minutes=15)


@attrs.define(kw_only=True)
class PlantState:
    """What a plant measures, and what tests have told it.

    Attributes:
        village: what it feeds.
        seed: start of its noise.
        at: instant of the last step.
        soc_percent: state of charge.
        is_on: false is a blackout: the inverter delivers nothing.
        load_w: a fixed load, in W; None follows the village.
        is_inverter_gone: the gateway knows no output power any more and publishes null.
        devices: what VRM lists; those of the fleet at first.
    """

    village: Village
    seed: int
    at: datetime
    soc_percent: float = 70.0
    is_on: bool = True
    load_w: float | None = None
    is_inverter_gone: bool = False
    devices: tuple[PlantDevice, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.village.plant is not None:
            self.devices = self.devices or self.village.plant.devices

    @property
    def phases(self) -> int:
        """Number of output phases."""
        return 3 if self.village.plant and self.village.plant.is_three_phase else 1

    def output_w(self, now: datetime) -> float:
        """Return the power that the village draws, over all phases, in W."""
        if not self.is_on:
            return 0.0
        if self.load_w is not None:
            return self.load_w
        local = now.astimezone(ZoneInfo(self.village.timezone))
        meters_w = profile.MEAN_LOAD_W * sum(meter.scale for meter in self.village.meters)
        base_w = self.village.plant.base_load_w if self.village.plant else 0.0
        slot = int(now.timestamp() // 60)
        wobble = 0.9 + 0.2 * (profile.noise(self.seed, f"load {self.village.grid_id}", slot) - 0.6) / 0.8
        return (base_w + meters_w * profile.day_factor(local)) * wobble

    def phase_w(self, now: datetime) -> tuple[float | None, ...]:
        """Return the power of L1 (and L2, L3), in W; None where the gateway doesn't know it."""
        if self.is_inverter_gone:
            return (None,) * self.phases
        total = self.output_w(now)
        return tuple(round(total * share, 1) for share in _PHASE_SHARES[self.phases])

    def pv_w(self, now: datetime) -> float:
        """Return what the panels could deliver at the instant, in W."""
        local = now.astimezone(ZoneInfo(self.village.timezone))
        hour = local.hour + local.minute / 60 + local.second / 3600
        if self.village.plant is None or not _SUNRISE_H < hour < _SUNSET_H:
            return 0.0
        height = math.sin(math.pi * (hour - _SUNRISE_H) / (_SUNSET_H - _SUNRISE_H))
        cloud = profile.noise(self.seed, f"sun {self.village.grid_id}", int(now.timestamp() // 600))
        return self.village.plant.pv_peak_w * math.pow(height, 1.3) * (0.55 + 0.45 * min(1.0, cloud))

    def step(self, now: datetime) -> None:
        """Charge or discharge the battery up to the instant."""
        if self.village.plant is None or now <= self.at:
            return
        hours = min(now - self.at, _LONGEST_STEP) / timedelta(hours=1)
        surplus_w = self.pv_w(now) - self.output_w(now)
        change = 100 * surplus_w * hours / 1000 / self.village.plant.battery_kwh
        self.soc_percent = min(_FULL_PERCENT, max(_EMPTY_PERCENT, self.soc_percent + change))
        self.at = now

    def values(self, now: datetime) -> dict[str, float | int | None]:
        """Return every value that the gateway publishes, by the topic below its portal id."""
        pv = self.pv_w(now)
        battery_w = pv - self.output_w(now)
        if self.soc_percent >= _FULL_PERCENT and battery_w > 0:
            pv, battery_w = pv - battery_w, 0.0  # the controllers throttle the panels
        volts = _EMPTY_V + (_FULL_V - _EMPTY_V) * self.soc_percent / 100
        phases = {
            f"system/0/Ac/ConsumptionOnOutput/L{index}/Power": power
            for index, power in enumerate(self.phase_w(now), start=1)
        }
        return {
            **phases,
            "system/0/Ac/ConsumptionOnOutput/NumberOfPhases": self.phases,
            "system/0/Dc/Battery/Soc": round(self.soc_percent, 1),
            "system/0/Dc/Battery/Voltage": round(volts, 2),
            "system/0/Dc/Battery/Power": round(battery_w, 1),
            "system/0/Dc/Battery/Current": round(battery_w / volts, 2),
            "system/0/Dc/Pv/Power": round(pv, 1),
            "system/0/Dc/Pv/Current": round(pv / volts, 2),
        }
